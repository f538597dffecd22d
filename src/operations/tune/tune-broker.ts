/** The tuner's own queues on the operator's broker: filled, looked at, emptied, deleted. */
import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';
import type { Environment } from '../../config/environment';
import { allQueues, buildTopology, type Topology } from '../../messaging/topology';
import type { SeededMessage } from './tune-database.repository';

export class TuneBroker {
  private constructor(
    private readonly connection: ChannelModel,
    private readonly channel: ConfirmChannel,
    private readonly topology: Topology,
    private readonly rpcQueue: string,
  ) {}

  /** @param environment with names of the tuner's own */
  static async connect(environment: Environment): Promise<TuneBroker> {
    const connection = await connect(environment.RABBITMQ_URL);
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
