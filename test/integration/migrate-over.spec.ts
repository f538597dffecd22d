import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { summaryOf } from '../support/cli-process';
import { conversation } from '../support/conversations';
import { createNamespace } from '../support/namespace';
import { runCli } from '../support/run-cli';
import { ServiceProcess, stopAll } from '../support/service-process';
import { settledEvent } from '../support/stored';
import { until } from '../support/until';

describe('moving over from a former service, as docs/migrate.md says', () => {
  const folder = mkdtempSync(join(tmpdir(), 'friendship-migrate-'));
  afterAll(async () => {
    await stopAll();
    rmSync(folder, { recursive: true, force: true });
  });

  it('loses no conversation, counts none twice and keeps every score', async () => {
    const namespace = await createNamespace();
    const { queue, variables } = namespace;
    const run = (...args: string[]) => runCli(variables, ...args);

    // The old service: a classic queue, a consumer that counts a point for each message, scores of its own.
    const connection = await connect(variables.RABBITMQ_URL);
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue(queue, { durable: true });
    const scores = new Map<string, number>();
    const publish = (count: number) => {
      for (let index = 0; index < count; index++)
        channel.sendToQueue(queue, Buffer.from(JSON.stringify({ user_id: `child-${index % 10}` })), {
          persistent: true,
        });
      return channel.waitForConfirms();
    };
    await publish(50);
    const { consumerTag } = await channel.consume(queue, (message) => {
      const { user_id } = JSON.parse(message!.content.toString()) as { user_id: string };
      scores.set(user_id, (scores.get(user_id) ?? 0) + 1);
      channel.ack(message!);
    });
    const file = join(folder, 'scores.jsonl');
    const writeScores = () =>
      writeFileSync(
        file,
        [...scores]
          .map(([user_id, friendship_score]) =>
            JSON.stringify({
              user_id,
              friendship_score,
              last_interaction_date: '2026-11-01T10:00:00Z',
              streak_day: 2,
              topics: {},
            }),
          )
          .join('\n'),
      );

    // 1. Prepare, while the old service works.
    await publish(50);
    writeScores();
    expect((await run('import', file, '--dry-run')).code).toBe(0);
    // 2. and 3. No publisher any more; the queue runs empty.
    await until('the old queue to be empty', () => [...scores.values()].reduce((sum, each) => sum + each, 0) === 100);
    await channel.cancel(consumerTag);
    // 4. Take over the scores.
    writeScores();
    expect(summaryOf(await run('import', file, '--json'))).toMatchObject({ children: 10, imported: 10 });
    // 5. Remove the old queue.
    await channel.deleteQueue(queue, { ifEmpty: true, ifUnused: true });
    await connection.close();
    // 6. Start.
    const [api, worker] = await Promise.all([
      ServiceProcess.start('api', variables),
      ServiceProcess.start('worker', variables),
    ]);
    await Promise.all([api.ready(), worker.ready()]);
    const posted = Array.from({ length: 10 }, (_, index) => conversation({ user_id: `child-${index}` }));
    for (const each of posted) expect((await api.post('/v1/conversations/end', each)).status).toBe(202);
    for (const each of posted) await settledEvent(namespace, each.conversation_id);
    // 7. See that it is right: 10 points from before, 3 turns since.
    for (let index = 0; index < 10; index++)
      expect((await api.get(`/v1/friendship/child-${index}`)).body).toMatchObject({ friendship_score: 13 });
    expect(summaryOf(await run('audit', '--json'))).toMatchObject({ users: 10, events: 20, differences: 0 });
    expect(summaryOf(await run('rebuild', '--json'))).toMatchObject({ corrected: 0, created: 0, removed: 0 });
    expect(await Promise.all([api.stop(), worker.stop()])).toEqual([0, 0]);
    await namespace.remove();
  });
});
