import { Global, Module } from '@nestjs/common';
import { ExternalServices } from './external-services';

/** HTTP services that others run. Knows how to call them, and nothing of what they are for. */
@Global()
@Module({ providers: [ExternalServices], exports: [ExternalServices] })
export class ExternalServicesModule {}
