import { Controller, type BeforeApplicationShutdown } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { FriendshipStatusService, type FriendshipView } from './friendship-status.service';
import { readUserId } from './user-id';

/** The RPC pattern for other Nest services; served by the api role on `RABBITMQ_RPC_QUEUE`. */
export const FRIENDSHIP_STATUS_GET = 'friendship.status.get';

@Controller()
export class FriendshipRpcController implements BeforeApplicationShutdown {
  private readonly inFlight = new Set<Promise<unknown>>();

  constructor(private readonly friendships: FriendshipStatusService) {}

  /** Errors arrive at the caller as the same problem object that HTTP answers. */
  @MessagePattern(FRIENDSHIP_STATUS_GET)
  get(@Payload() payload: unknown): Promise<FriendshipView> {
    const answer = Promise.resolve().then(() => this.friendships.get(readUserId(payload)));
    const tracked = answer.catch(() => undefined).finally(() => this.inFlight.delete(tracked));
    this.inFlight.add(tracked);
    return answer;
  }

  /** Nest closes the transport without waiting: whoever is asked by then would get no answer. */
  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all(this.inFlight);
  }
}
