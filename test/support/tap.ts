import { connect, type ChannelModel, type ConsumeMessage } from 'amqplib';
import type { Namespace } from './namespace';

/** A queue of the test's own, bound to the exchange: gets a copy of whatever is published to it. */
export class Tap {
  readonly messages: ConsumeMessage[] = [];

  private constructor(private readonly connection: ChannelModel) {}

  /** @param onMessage called at the moment of the delivery */
  static async open(
    namespace: Namespace,
    onMessage: (message: ConsumeMessage) => void = () => undefined,
  ): Promise<Tap> {
    const connection = await connect(namespace.variables.RABBITMQ_URL);
    const tap = new Tap(connection);
    const channel = await connection.createChannel();
    const { exchange } = namespace.broker.topology;
    await channel.assertExchange(exchange, 'topic', { durable: true });
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, exchange, '#');
    const take = (message: ConsumeMessage | null) => {
      if (!message) return;
      tap.messages.push(message);
      onMessage(message);
    };
    await channel.consume(queue, take, { noAck: true });
    return tap;
  }

  of(messageId: string): ConsumeMessage[] {
    return this.messages.filter(({ properties }) => properties.messageId === messageId);
  }

  close(): Promise<void> {
    return this.connection.close();
  }
}
