// @ts-check
/** For mutants: changes SQL statements of the build, by their names, on their way to PostgreSQL. */
require('reflect-metadata');
const { join } = require('node:path');
const statement = require(join(process.env.CHAOS_DIST ?? '', 'database', 'statement.js'));

const { execute } = statement;
if (typeof execute !== 'function') throw new Error('Expected execute() of database/statement to mutate.');

/** @typedef {{ name: string, text: string }} Statement */

/**
 * @param {string} name
 * @param {(run: typeof execute, runner: any, statement: Statement, values: any[]) => Promise<any>} mutated
 */
exports.mutate = (name, mutated) => {
  const inner = statement.execute;
  statement.execute = (/** @type {any} */ runner, /** @type {Statement} */ given, /** @type {any[]} */ values) =>
    given.name === name ? mutated(execute, runner, given, values) : inner(runner, given, values);
};

/** A mutation that finds nothing to change is a mistake, and must not look like a mutant that was found out. @param {Statement} given @param {string} from @param {string} to @returns {Statement} */
exports.replaced = (given, from, to) => {
  if (!given.text.includes(from)) {
    process.stderr.write(
      `Expected "${from}" in the statement ${given.name}, found it not: the mutant must follow src/.\n`,
    );
    process.exit(70);
  }
  return { name: `${given.name}_mutant`, text: given.text.replace(from, () => to) };
};
