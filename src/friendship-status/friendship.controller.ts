import { Body, Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import { problemResponse } from '../http/problem-docs';
import { FriendshipStatusService, type FriendshipView } from './friendship-status.service';
import { readUserId } from './user-id';

const EXAMPLE: FriendshipView = {
  user_id: 'child-an',
  friendship_score: 520,
  friendship_level: 'PHASE2_ACQUAINTANCE',
  streak_day: 3,
  last_interaction_date: '2026-11-20T10:12:00.000Z',
  topics: {
    dinosaurs: {
      score: 470,
      turns: 30,
      last_date: '2026-11-20T10:12:00.000Z',
      agents_used: ['bot-dino'],
      friendship_level: 'PHASE2_ACQUAINTANCE',
    },
  },
};

@ApiTags('friendship')
@Controller('friendship')
export class FriendshipController {
  constructor(private readonly friendships: FriendshipStatusService) {}

  @Get(':user_id')
  @ApiOperation({ summary: "A child's friendship: score, level, streak, last interaction, topics" })
  @ApiParam({ name: 'user_id', example: EXAMPLE.user_id })
  @ApiResponse({ status: 200, description: 'The friendship', example: EXAMPLE })
  @problemResponse('UNAUTHORIZED', 'TOO_MANY_REQUESTS', 'FRIENDSHIP_NOT_FOUND', 'DATABASE_UNAVAILABLE')
  get(@Param('user_id') userId: string): Promise<FriendshipView> {
    return this.friendships.get(userId);
  }

  @Post('status')
  @HttpCode(200)
  @ApiOperation({ summary: 'The same, asked with a body' })
  @ApiBody({
    schema: {
      type: 'object',
      required: ['user_id'],
      properties: { user_id: { type: 'string', example: EXAMPLE.user_id } },
    },
  })
  @ApiResponse({ status: 200, description: 'The friendship', example: EXAMPLE })
  @problemResponse(
    'MALFORMED_JSON',
    'UNAUTHORIZED',
    'FRIENDSHIP_NOT_FOUND',
    'VALIDATION_FAILED',
    'TOO_MANY_REQUESTS',
    'DATABASE_UNAVAILABLE',
  )
  status(@Body() body: unknown): Promise<FriendshipView> {
    return this.friendships.get(readUserId(body));
  }
}
