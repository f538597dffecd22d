import { Module, type DynamicModule } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { Environment } from '../config/environment';
import { FriendshipRpcController } from './friendship-rpc.controller';
import { FriendshipStatusEntity } from './friendship-status.entity';
import { FriendshipStatusRepository } from './friendship-status.repository';
import { FriendshipStatusService } from './friendship-status.service';
import { FriendshipController } from './friendship.controller';

@Module({
  imports: [TypeOrmModule.forFeature([FriendshipStatusEntity])],
  providers: [FriendshipStatusRepository, FriendshipStatusService],
  exports: [FriendshipStatusService],
})
export class FriendshipStatusModule {
  /** The api role answers over HTTP and RPC; a worker has no routes here. */
  static forRole(role: Environment['APP_ROLE']): DynamicModule {
    const controllers = role === 'worker' ? [] : [FriendshipController, FriendshipRpcController];
    return { module: FriendshipStatusModule, controllers };
  }
}
