import { Global, Module, type DynamicModule } from '@nestjs/common';
import { ENVIRONMENT, type Environment } from './environment';

/** Makes the parsed environment injectable. */
@Global()
@Module({})
export class ConfigurationModule {
  static for(environment: Environment): DynamicModule {
    return {
      module: ConfigurationModule,
      providers: [{ provide: ENVIRONMENT, useValue: environment }],
      exports: [ENVIRONMENT],
    };
  }
}
