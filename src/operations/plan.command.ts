import { parse, print, type StandaloneCommand } from './command';
import { makePlan, type Plan } from './plan/plan';
import { PLAN_OPTIONS, readPlanRequest } from './plan/plan-options';
import { planProblems, settingsProblems } from './plan/plan-problems';
import { answerLine, comparison, environmentLines, hpaLines, reasons } from './plan/plan-text';

export const planCommand: StandaloneCommand = {
  usage:
    'plan --cores N --rate 200/s [--service-time 5s] [--cpu-time 4ms] [--memory 4GiB] [--db-connections N] [--max-replicas N] [--surge N] ' +
    '[--api-replicas N] [--api-pool N] [--target-utilisation 70%] [--grace-period 30s] [--shutdown-timeout 25s] [--longest-message 20s] ' +
    '[--consumer-timeout 30m] [--delivery-limit N] [--attempts N] [--workers N] [--concurrency N] [--channels N] [--pool N] [--shared] ' +
    '[--measured FILE] [--check FILE] [--json]',
  summary:
    'how many workers, how much concurrency, before anything runs; refuses plans that cannot work. --shared: PostgreSQL and RabbitMQ run ' +
    'on the same cores. --measured: the costs that tune found. --check: a .env file, for CI',
  standalone: true,
  run,
};

async function run(args: string[]): Promise<number> {
  const { values } = parse(args, PLAN_OPTIONS);
  const request = await readPlanRequest(values);
  const { input, checked, fileProblems, remark } = request;
  if (remark !== undefined) process.stderr.write(`Note: ${remark}.\n`);
  const plan = input && fileProblems.length === 0 ? makePlan(input) : undefined;
  const problems = [...fileProblems, ...(input && plan ? planProblems(plan, input) : settingsProblems(request))];
  if (values.json === true) {
    const env = input && plan ? environmentLines(plan, input) : undefined;
    print(JSON.stringify({ plan, problems, env, hpa: input && plan ? hpaLines(plan, input) : undefined }));
  } else if (problems.length > 0) {
    print(`Refused, for ${problems.length} reason(s):`);
    for (const problem of problems) print(`  ${problem}`);
    if (input && plan && checked === undefined) print(`\nThe plan that was refused: ${shape(plan)}.`);
  } else if (input && plan && checked === undefined) {
    print(answerLine(plan, input));
    print(['', 'Why', ...reasons(plan, input).map(indent)].join('\n'));
    print(['', 'Beside the rules of thumb', ...comparison(plan, input).map(indent)].join('\n'));
    print(
      [
        '',
        '.env',
        ...environmentLines(plan, input).map(indent),
        '',
        'Autoscaler',
        ...hpaLines(plan, input).map(indent),
      ].join('\n'),
    );
  } else if (plan && input) {
    print(`${checked ?? ''}: no problem found. ${answerLine(plan, input)}`);
  } else {
    print(`${checked ?? ''}: no problem found in what can be checked without --cores and --rate.`);
  }
  return problems.length > 0 ? 1 : 0;
}

function shape({ workers, concurrency, channels, poolSize }: Plan): string {
  return `W ${workers} x C ${concurrency} (K ${channels}), pool ${poolSize}`;
}

function indent(line: string): string {
  return `  ${line}`;
}
