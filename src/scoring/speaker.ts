/** Who said a line: the robot or the child. */
export type Speaker = 'pika' | 'user';
