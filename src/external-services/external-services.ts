import { Inject, Injectable, Logger, type OnApplicationShutdown, type OnModuleDestroy } from '@nestjs/common';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { Metrics } from '../observability/metrics';
import { ExternalService, type ExternalServiceOptions } from './external-service';
import type { ServiceName } from './external-service-error';

/** Answers of the analysing services are a few numbers; facts come along as text. Bytes. */
const ANALYSIS_ANSWER_LIMIT = 1024 ** 2;

/** Calls end after this share of the time for draining, so that their messages can still be moved to a retry queue. */
const DRAIN_SHARE = 0.8;

/** As `friendship_breaker_state` tells them. */
const BREAKER_STATES = { closed: 0, 'to be tried': 1, open: 2 } as const;

/** The services that are configured. None is called, and nothing is opened, before it is needed. */
@Injectable()
export class ExternalServices implements OnModuleDestroy, OnApplicationShutdown {
  readonly llm: ExternalService | undefined;
  readonly memory: ExternalService | undefined;
  readonly conversations: ExternalService | undefined;
  private readonly logger = new Logger('ExternalServices');

  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    private readonly metrics: Metrics,
  ) {
    const key = environment.ANALYSIS_LLM_API_KEY;
    this.llm = this.create('ANALYSIS_LLM', {
      answerLimit: ANALYSIS_ANSWER_LIMIT,
      headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
    });
    this.memory = this.create('MEMORY_API', { answerLimit: ANALYSIS_ANSWER_LIMIT });
    this.conversations = this.create('CONVERSATION_API', { answerLimit: environment.HTTP_BODY_LIMIT });
  }

  get all(): readonly ExternalService[] {
    return [this.llm, this.memory, this.conversations].filter((service) => service !== undefined);
  }

  onModuleDestroy(): void {
    const abort = () => this.all.forEach((service) => service.abort());
    setTimeout(abort, this.environment.SHUTDOWN_TIMEOUT * DRAIN_SHARE).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all(this.all.map((service) => service.close()));
  }

  private create(
    name: ServiceName,
    options: Pick<ExternalServiceOptions, 'answerLimit' | 'headers'>,
  ): ExternalService | undefined {
    const { environment } = this;
    const { externalCallDuration, breakerState } = this.metrics.of;
    const url = environment[`${name}_URL`];
    if (url === undefined) return undefined;
    const service = new ExternalService({
      name,
      url,
      tryTimeout: environment[`${name}_TRY_TIMEOUT`],
      timeout: environment[`${name}_TIMEOUT`],
      concurrency: environment[`${name}_CONCURRENCY`],
      breakerPause: environment.CIRCUIT_BREAKER_PAUSE,
      ...options,
      onTry: (outcome, seconds) => externalCallDuration.observe({ service: name, outcome }, seconds),
    });
    breakerState.set({ service: name }, BREAKER_STATES.closed);
    service.recovery.onChange((state) => {
      breakerState.set({ service: name }, BREAKER_STATES[state]);
      if (state === 'open') this.logger.warn({ msg: 'the circuit breaker is open', service: name });
      if (state === 'closed') this.logger.log({ msg: 'the circuit breaker has closed', service: name });
    });
    return service;
  }
}
