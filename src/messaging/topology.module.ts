import { Module } from '@nestjs/common';
import { ENVIRONMENT } from '../config/environment';
import { TOPOLOGY } from './tokens';
import { buildTopology } from './topology';
import { TopologyReport } from './topology-report';

/** What the connection itself needs to know before it is made. */
@Module({
  providers: [{ provide: TOPOLOGY, inject: [ENVIRONMENT], useFactory: buildTopology }, TopologyReport],
  exports: [TOPOLOGY, TopologyReport],
})
export class TopologyModule {}
