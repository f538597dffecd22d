import { Injectable } from '@nestjs/common';
import { scoreConversation, type ScoreBreakdown, type ScoreInput } from './score';

/** Scores conversations. Today the rules are all there is to it; it is the place where analysers join. */
@Injectable()
export class ScoringService {
  /** @returns the breakdown, whose `friendship_score_change` is what the child's friendship gains */
  score(input: ScoreInput): ScoreBreakdown {
    return scoreConversation(input);
  }
}
