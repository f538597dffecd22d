import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ENVIRONMENT, type Environment } from '../config/environment';
import { dataSourceOptions } from './data-source';
import { MetricsModule } from '../observability/metrics.module';
import { DatabaseMonitor } from './database-monitor';
import { QueryRunners } from './query-runners';

/** PostgreSQL through TypeORM. The connection is made in the background, so that a database that is away delays nothing. */
@Global()
@Module({
  imports: [
    MetricsModule,
    TypeOrmModule.forRootAsync({
      inject: [ENVIRONMENT],
      useFactory: (environment: Environment) => ({
        ...dataSourceOptions(environment),
        autoLoadEntities: true,
        manualInitialization: true,
      }),
    }),
  ],
  providers: [DatabaseMonitor, QueryRunners],
  exports: [DatabaseMonitor, QueryRunners],
})
export class DatabaseModule {}
