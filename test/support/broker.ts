import { connect, type ChannelModel, type ConfirmChannel, type Options } from 'amqplib';
import type { Environment } from '../../src/config/environment';
import { allQueues, buildTopology, type Topology } from '../../src/messaging/topology';

/** Another AMQP client, as a foreign publisher or the broker's operator would use one. */
export class Broker {
  private constructor(
    private readonly environment: Environment,
    private readonly connection: ChannelModel,
    private readonly channel: ConfirmChannel,
    readonly topology: Topology,
  ) {}

  static async connect(environment: Environment): Promise<Broker> {
    const connection = await connect(environment.RABBITMQ_URL);
    return new Broker(environment, connection, await connection.createConfirmChannel(), buildTopology(environment));
  }

  /** Straight to the work queue through the default exchange, as older publishers do. */
  async send(body: unknown, options: Options.Publish = {}): Promise<void> {
    const content = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    this.channel.sendToQueue(this.topology.processing.queue.name, content, { persistent: true, ...options });
    await this.channel.waitForConfirms();
  }

  /** Many at once, straight to the work queue; resolves when the broker has confirmed them all. */
  async sendAll(messages: Iterable<{ body: unknown; options?: Options.Publish }>): Promise<void> {
    let unconfirmed = 0;
    for (const { body, options } of messages) {
      const content = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
      this.channel.sendToQueue(this.topology.processing.queue.name, content, { persistent: true, ...options });
      if (++unconfirmed % 5_000 === 0) await this.channel.waitForConfirms();
    }
    await this.channel.waitForConfirms();
  }

  /** Declares the work queue as the service does, for a test that publishes before any process runs. */
  async declareWorkQueue(): Promise<void> {
    const { name, options } = this.topology.processing.queue;
    await this.channel.assertQueue(name, options);
  }

  /** The broker's own figures: messages that wait (not those in flight), and consumers. Undefined when there is no such queue. */
  async figures(
    queue = this.topology.processing.queue.name,
  ): Promise<{ ready: number; consumers: number } | undefined> {
    // Asking for a queue that does not exist closes the channel, so each question has its own.
    const channel = await this.connection.createChannel();
    channel.on('error', () => undefined);
    try {
      const { messageCount, consumerCount } = await channel.checkQueue(queue);
      await channel.close();
      return { ready: messageCount, consumers: consumerCount };
    } catch {
      return undefined;
    }
  }

  /** The namespace's queues that somebody consumes. */
  async consumers(): Promise<{ queue: string; consumers: number }[]> {
    const names = [...allQueues(this.topology).map(({ name }) => name), this.environment.RABBITMQ_RPC_QUEUE];
    const all = await Promise.all(
      names.map(async (queue) => ({ queue, consumers: (await this.figures(queue))?.consumers ?? 0 })),
    );
    return all.filter(({ consumers }) => consumers > 0);
  }

  async deleteQueue(queue: string): Promise<void> {
    await this.channel.deleteQueue(queue);
  }

  async removeNamespace(): Promise<void> {
    try {
      // Those of the second lane as well: a process may have had it, whatever this namespace was made with.
      const whole = buildTopology({ ...this.environment, MEMORY_API_URL: 'https://any' });
      for (const { name } of allQueues(whole)) await this.channel.deleteQueue(name);
      await this.channel.deleteQueue(this.environment.RABBITMQ_RPC_QUEUE);
      await this.channel.deleteExchange(this.topology.exchange);
      await this.channel.deleteExchange(this.topology.telemetryExchange);
    } finally {
      await this.connection.close();
    }
  }
}
