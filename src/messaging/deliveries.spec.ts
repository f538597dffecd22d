import type { ConsumeMessage } from 'amqplib';
import { readEnvironment } from '../config/environment';
import { Metrics } from '../observability/metrics';
import type { BrokerMonitor } from './broker-monitor';
import { Deliveries, HandedBack } from './deliveries';
import { PublishError, type Publisher } from './publisher';
import { buildTopology } from './topology';

const environment = readEnvironment({ DATABASE_URL: 'postgres://db/x', RABBITMQ_URL: 'amqp://broker' });
const delivery = {
  content: Buffer.from('no json'),
  fields: { redelivered: false, exchange: '', routingKey: 'work' },
  properties: { headers: {} },
} as unknown as ConsumeMessage;
const deadLetter = () =>
  Promise.resolve({ kind: 'deadLetter', reason: 'INVALID_MESSAGE', attempts: 1, settlesEvent: false } as const);

/** A broker whose publisher fails a number of times, and whose connection may be another one by then. */
function deliveriesWith(failures: number, connectionLost: boolean) {
  const broker = { connectionNumber: 1 };
  let calls = 0;
  const publisher = {
    publish: () => {
      if (++calls > failures) return Promise.resolve();
      if (connectionLost) broker.connectionNumber++;
      return Promise.reject(new PublishError('BROKER_DISCONNECTED'));
    },
  };
  return new Deliveries(
    environment,
    buildTopology(environment),
    publisher as unknown as Publisher,
    broker as unknown as BrokerMonitor,
    new Metrics(),
  );
}

describe('a message that has to be forwarded', () => {
  it('is forwarded when the publisher is ready, if its own connection lives: nobody else will deliver it', async () => {
    const deliveries = deliveriesWith(1, false);
    await deliveries.settle(delivery, 'work', deadLetter);
    expect(deliveries.counts).toMatchObject({ deadLettered: 1, handedBack: 0 });
  });

  it('is left to the broker when its own connection is gone', async () => {
    const deliveries = deliveriesWith(1, true);
    await expect(deliveries.settle(delivery, 'work', deadLetter)).rejects.toBeInstanceOf(HandedBack);
    expect(deliveries.counts).toMatchObject({ deadLettered: 0, handedBack: 1 });
  });
});
