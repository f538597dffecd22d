// @ts-check
/** The live page, built into dist/ops/: the api serves it at /ops, from where it asks for everything. */
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  base: '/ops/',
  publicDir: false,
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../dist/ops',
    emptyOutDir: true,
    target: 'es2022',
    // The page's Content-Security-Policy allows no data: in scripts and styles, and no inline polyfill.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
