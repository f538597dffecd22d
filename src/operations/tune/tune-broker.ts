/** The tuner's own queues on the operator's broker: filled, looked at, emptied, deleted. */
import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';
import type { Environment } from '../../config/environment';
import { errorCode } from '../../errors/describe';
import { allQueues, buildTopology, type Topology } from '../../messaging/topology';
import { UsageError } from '../command';
import type { SeededMessage } from './tune-database.repository';

/** Milliseconds. */
const CONNECT_TIMEOUT = 10_000;

/** What the broker says when it lets nobody in has no code, only a text: `… 403 (ACCESS-REFUSED) …`. */
function refusalOf(error: unknown): string | undefined {
  return /\b\d{3} \([A-Z_-]+\)/.exec((error as Error).message)?.[0];
}

export class TuneBroker {
  private constructor(
    private readonly connection: ChannelModel,
    private readonly channel: ConfirmChannel,
    private readonly topology: Topology,
    private readonly rpcQueue: string,
  ) {}

  /**
   * @param environment with names of the tuner's own
   * @throws UsageError when the broker does not answer, or lets nobody in
   */
  static async connect(environment: Environment): Promise<TuneBroker> {
    const { RABBITMQ_URL: url } = environment;
    const connection = await connect(url, { timeout: CONNECT_TIMEOUT }).catch((error: unknown) => {
      const got = refusalOf(error) ?? errorCode(error);
      throw new UsageError(`RABBITMQ_URL: expected a RabbitMQ at ${new URL(url).host} that lets us in, got ${got}`);
    });
    connection.on('error', () => undefined); // the next call says it
    const channel = await connection.createConfirmChannel();
    channel.on('error', () => undefined);
    const topology = buildTopology(environment);
    for (const { name, options } of allQueues(topology)) await channel.assertQueue(name, options);
    return new TuneBroker(connection, channel, topology, environment.RABBITMQ_RPC_QUEUE);
  }

  /** Persistent and confirmed, as the api's messages are. */
  async publish(messages: readonly SeededMessage[]): Promise<void> {
    for (const { id, body } of messages) {
      this.channel.sendToQueue(this.topology.processing.queue.name, body, {
        persistent: true,
        messageId: id,
        contentType: 'application/json',
      });
    }
    await this.channel.waitForConfirms();
  }

  /** Messages that no worker has taken yet. */
  async waiting(): Promise<number> {
    return (await this.channel.checkQueue(this.topology.processing.queue.name)).messageCount;
  }

  async empty(): Promise<void> {
    for (const { name } of allQueues(this.topology)) await this.channel.purgeQueue(name);
  }

  async delete(): Promise<void> {
    try {
      for (const { name } of allQueues(this.topology)) await this.channel.deleteQueue(name);
      await this.channel.deleteQueue(this.rpcQueue);
      await this.channel.deleteExchange(this.topology.exchange);
    } finally {
      await this.connection.close();
    }
  }
}
