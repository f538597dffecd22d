// @ts-check
/**
 * Which folder may import which. `npm run check` reads this; to look at one folder alone:
 * `npx depcruise src/messaging`. Type-only imports count: they tie folders together just as well.
 */

/** Each of these can be understood, tested and replaced without the others. */
const INDEPENDENT = 'messaging|scoring|friendship-status';

/** What everything else stands on. */
const FOUNDATIONS = 'config|errors|database|http|external-services';

/** Whoever imports one of these starts it. (database/migrate.ts notices when it is only imported.) */
const ENTRY_POINTS = '^src/(main|cli|database/typeorm-cli)[.]ts$';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Two files that need each other are one file, or lack a third.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'independent-folders',
      comment:
        'messaging, scoring and friendship-status import neither each other nor conversation-events, which joins them.',
      severity: 'error',
      from: { path: `^src/(${INDEPENDENT})/` },
      to: { path: `^src/(${INDEPENDENT}|conversation-events)/`, pathNot: '^src/$1/' },
    },
    {
      name: 'foundations-know-no-feature',
      comment: 'What every feature stands on cannot stand on one of them.',
      severity: 'error',
      from: { path: `^src/(${FOUNDATIONS})/` },
      to: { path: `^src/(${INDEPENDENT}|conversation-events|health|operations)/` },
    },
    {
      name: 'rules-are-pure',
      comment: 'The rules of scores and levels take values and give values; nothing on their way needs a framework.',
      severity: 'error',
      from: { path: '^src/(scoring/score|friendship-status/levels)[.]ts$' },
      to: { path: 'node_modules', reachable: true },
    },
    {
      name: 'nobody-needs-health',
      comment: 'It looks at the other modules; one that looked back could not be started without it.',
      severity: 'error',
      from: { path: '^(src|test)/', pathNot: ['^src/health/', '^src/app[.]module[.]ts$', '[.]spec[.]ts$'] },
      to: { path: '^src/health/' },
    },
    {
      name: 'nobody-needs-operations',
      comment:
        "The operators' tools act through the other modules' services; only the command line, and the application for their page, start them.",
      severity: 'error',
      from: {
        path: '^(src|test)/',
        pathNot: ['^src/operations/', '^src/(app[.]module|cli)[.]ts$', '^test/support/operator[.]ts$', '[.]spec[.]ts$'],
      },
      to: { path: '^src/operations/' },
    },
    {
      name: 'nobody-imports-an-entry-point',
      comment: 'They start on import. What is worth sharing belongs into a module of its own.',
      severity: 'error',
      from: {},
      to: { path: ENTRY_POINTS },
    },
    {
      name: 'source-is-self-contained',
      comment: 'The image holds src alone.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|scripts|bench|dashboard)/' },
    },
    {
      name: 'no-barrels',
      comment: 'An index.ts hides where a thing comes from, and makes cycles of imports that have none.',
      severity: 'error',
      from: {},
      to: { path: '(^|/)index[.]ts$', pathNot: 'node_modules' },
    },
    {
      name: 'no-barrels-unused-either',
      comment: 'The same, for one that nobody imports yet.',
      severity: 'error',
      from: { path: '(^|/)index[.]ts$', pathNot: 'node_modules' },
      to: {},
    },
    {
      name: 'production-dependencies-only',
      comment: 'The image is built without development dependencies. Packages of types are gone by then.',
      severity: 'error',
      from: { path: '^src/', pathNot: '[.]spec[.]ts$' },
      to: { dependencyTypes: ['npm-dev'], pathNot: 'node_modules/@types/' },
    },
    {
      name: 'declared-dependencies-only',
      comment: 'A package that is only there because another one needs it may be gone after the next update.',
      severity: 'error',
      from: { path: '^(src|test)/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'unknown', 'undetermined'] },
    },
    {
      name: 'everything-resolves',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['require', 'node', 'default', 'types'] },
  },
};
