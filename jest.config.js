// @ts-check
/**
 * `unit` needs nothing but Node, `integration` needs PostgreSQL and RabbitMQ (`npm test` provides them), `browser` Chromium as
 * well (`npm run e2e:page`).
 *
 *   npx jest --selectProjects unit
 */

// Far from UTC on purpose: a time that is read or written as local time is seen at once.
process.env.TZ = 'Asia/Ho_Chi_Minh';

/** The same settings as tsconfig.json; types are checked by `tsc`, not here. */
const swc = {
  swcrc: false,
  sourceMaps: 'inline',
  module: { type: 'commonjs' },
  jsc: {
    target: 'es2022',
    keepClassNames: true,
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
  },
};

const project = {
  rootDir: __dirname,
  testEnvironment: 'node',
  moduleFileExtensions: ['ts', 'js', 'json', 'node'],
  transform: { '^.+\\.ts$': ['@swc/jest', swc] },
};

/** @type {import('jest').Config} */
module.exports = {
  // Only the global value counts; unit tests are nowhere near it.
  testTimeout: 40_000,
  projects: [
    {
      ...project,
      displayName: 'unit',
      roots: [
        '<rootDir>/src',
        '<rootDir>/dashboard/src',
        '<rootDir>/test/docs',
        '<rootDir>/test/chaos',
        '<rootDir>/test/bench',
      ],
      testMatch: ['**/*.spec.ts'],
    },
    {
      ...project,
      displayName: 'integration',
      roots: ['<rootDir>/test/integration'],
      setupFilesAfterEnv: ['<rootDir>/test/support/no-leaks.ts'],
      testMatch: ['**/*.spec.ts'],
    },
    {
      ...project,
      displayName: 'browser',
      roots: ['<rootDir>/test/browser'],
      setupFilesAfterEnv: ['<rootDir>/test/support/no-leaks.ts'],
      testMatch: ['**/*.spec.ts'],
    },
  ],
};
