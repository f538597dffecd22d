import { RabbitMQModule } from '@golevelup/nestjs-rabbitmq';

/**
 * The library registers its handlers while the application boots, and waits for the broker to do it, so that a broker
 * that is away would keep HTTP from listening. Here registration is a call of its own, made when it is wanted.
 */
export class BackgroundRabbitMQModule extends RabbitMQModule {
  override async onApplicationBootstrap(): Promise<void> {
    // Nothing yet: see registerHandlers().
  }

  /** Registers every `@RabbitSubscribe` handler that has an entry in `handlers`. Resolves once all consume. */
  registerHandlers(): Promise<void> {
    return super.onApplicationBootstrap();
  }
}
