// @ts-check
/**
 * What a question is: a file in bench/questions/ that exports one as its default. bench/README.md tells how to write one.
 *
 * @typedef {object} Question
 * @property {string} name the file's name; the word behind `npm run bench --`
 * @property {string} asks what it finds out, as a question
 * @property {number} minutes about how long a full run takes
 * @property {readonly import('./targets.cjs').Target[]} targets
 * @property {readonly Chart[]} charts what is drawn, and shown as tables
 * @property {(context: Context) => Promise<Answer>} run
 *
 * @typedef {object} Context
 * @property {boolean} quick fewer and shorter runs
 * @property {{ databaseUrl: string, rabbitmqUrl: string }} services
 * @property {import('./arena.mjs').Arenas} arenas
 * @property {import('../scripts/progress.mjs').Progress} progress
 * @property {AbortSignal} signal
 * @property {(name: string, undo: () => Promise<void>) => void} onExit undone when the question is answered, or given up
 *
 * @typedef {object} Answer
 * @property {Record<string, string | number>} settings of the workload, for the record
 * @property {import('./targets.cjs').Measurement[]} measurements
 * @property {Record<string, string>} [series] what each series is, in one line
 * @property {readonly import('./line-chart.mjs').Lines[]} [lines] what is drawn over an axis
 *
 * @typedef {object} Chart
 * @property {string} title
 * @property {readonly string[]} figures names from bench/figures.mjs; the first one is drawn as bars, or all of them stacked
 * @property {boolean} [stacked]
 */

export {};
