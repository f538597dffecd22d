// @ts-check
/**
 * What the compiler cannot see: forgotten promises, switches with a case missing, `any`, and code in the wrong place.
 * Formatting is Prettier's; imports between folders are checked by .dependency-cruiser.cjs.
 */
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const TYPESCRIPT = ['{src,test}/**/*.ts', 'dashboard/src/**/*.{ts,tsx}'];
const SPECS = ['{src,dashboard}/**/*.spec.ts', 'test/**/*.ts'];

const SQL_WORDS = '/\\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|TRUNCATE)\\s/';
/** STYLE: one place for statements, so that their locks and their indexes can be read side by side. */
const NO_SQL = [`TemplateElement[value.raw=${SQL_WORDS}]`, `Literal[value=${SQL_WORDS}]`].map((selector) => ({
  selector,
  message: 'SQL lives in *.repository.ts, *.sql.ts and src/database/.',
}));

/** Handlers return an outcome; what settles a message in two places settles it twice. */
const NO_SETTLING = {
  selector: 'CallExpression[callee.property.name=/^(ack|nack|ackAll|nackAll)$/]',
  message: 'Only src/messaging/ settles messages: return an Outcome.',
};

/** Left behind, it silently switches off every other test of its file. */
const NO_ONLY = {
  selector: "MemberExpression[object.name=/^(describe|it|test)$/][property.name='only']",
  message: 'Remove `.only`: the other tests would not run.',
};

export default defineConfig(
  globalIgnores(['dist/', 'coverage/', '.local/']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },

  {
    name: 'typescript',
    files: TYPESCRIPT,
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // Leaves files with decorators alone by itself: Nest finds what to inject through their value imports.
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      // A module of Nest is a class of decorators and nothing else.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // Characters are counted in code points, as PostgreSQL counts them.
      '@typescript-eslint/no-misused-spread': ['error', { allow: ['string'] }],
      // `() => void work()` and `return void answer()` say what they mean.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      // Nest declares what filters return with it.
      '@typescript-eslint/no-invalid-void-type': 'off',
      // Nest declares its options as classes, and everyone gives it literals.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // Wrong wherever an array or a record is indexed, which the compiler takes to succeed always.
      '@typescript-eslint/no-unnecessary-condition': 'off',
    },
  },

  {
    name: 'one reader of the environment',
    files: ['src/**/*.ts'],
    ignores: ['src/config/environment.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        {
          object: 'process',
          property: 'env',
          message: 'Only src/config/environment.ts reads it: take the Environment.',
        },
      ],
      'no-restricted-imports': ['error', { paths: ['process', 'node:process'] }],
    },
  },

  // ESLint lets the last block that matches a file replace a rule as a whole, so these name every restriction that holds there.
  {
    name: 'SQL and settling have their places',
    files: ['src/**/*.ts'],
    ignores: SPECS,
    rules: { 'no-restricted-syntax': ['error', ...NO_SQL, NO_SETTLING] },
  },
  {
    name: 'where SQL lives',
    files: ['src/**/*.repository.ts', 'src/**/*.sql.ts', 'src/database/**/*.ts'],
    ignores: SPECS,
    rules: { 'no-restricted-syntax': ['error', NO_SETTLING] },
  },
  {
    name: 'where messages are settled',
    files: ['src/messaging/**/*.ts'],
    ignores: SPECS,
    rules: { 'no-restricted-syntax': ['error', ...NO_SQL] },
  },

  {
    name: 'tests',
    files: SPECS,
    rules: {
      'no-restricted-syntax': ['error', NO_ONLY],
      // Bodies of answers and Jest's matchers are `any`; a wrong guess fails the test, which is what it is for.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      // `expect(service.method)` does not call it.
      '@typescript-eslint/unbound-method': 'off',
    },
  },

  {
    // Unknown names are found by the compiler, which checks these files as well (scripts/tsconfig.json).
    name: 'scripts',
    files: ['**/*.mjs', '**/*.cjs', '*.js'],
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-constant-binary-expression': 'error',
      'no-dupe-keys': 'error',
      'no-empty': 'error',
      'no-fallthrough': 'error',
      'no-promise-executor-return': ['error', { allowVoid: true }],
      'no-self-compare': 'error',
      'no-template-curly-in-string': 'error',
      'no-throw-literal': 'error',
      'no-unreachable': 'error',
      'no-unreachable-loop': 'error',
      'no-unsafe-finally': 'error',
      'no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true }],
      'no-useless-return': 'error',
      'no-var': 'error',
      'object-shorthand': 'error',
      'prefer-const': ['error', { ignoreReadBeforeAssign: true }],
      'preserve-caught-error': 'error',
    },
  },
);
