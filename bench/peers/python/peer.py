"""
The old design: pika and SQLAlchemy, entities read, changed and written back.

  peer.py --mode sequential   one message at a time: prefetch 1, a callback that commits and acknowledges
  peer.py --mode threads      ten threads, acknowledgements handed to the connection's thread, and the several commits
                              per message that the old workers made: attempt, status of the child, result of the event
  peer.py --mode one-commit   the same threads, tidied to one transaction per message

The child's row is made with ON CONFLICT DO NOTHING and read FOR UPDATE, so that no score is lost. Between the commits of
`threads` a crash can count a conversation without marking it; the benchmark does not crash it.

Reads DATABASE_URL, RABBITMQ_URL, RABBITMQ_QUEUE, MESSAGE_CONCURRENCY_PER_WORKER (threads).
"""

import argparse
import functools
import json
import os
import signal
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pika
from sqlalchemy import JSON, Column, Date, DateTime, Integer, Numeric, String, create_engine, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import declarative_base, sessionmaker
from sqlalchemy.types import UserDefinedType

Base = declarative_base()
ZONE = ZoneInfo(os.environ["BUSINESS_TIME_ZONE"])
RULE_VERSION = "friendship-1"


class DateMultirange(UserDefinedType):
    """As text: this SQLAlchemy is older than multiranges."""

    cache_ok = True

    def get_col_spec(self, **_):
        return "datemultirange"


class Event(Base):
    __tablename__ = "conversation_events"
    conversation_id = Column(String, primary_key=True)
    user_id = Column(String)
    bot_id = Column(String)
    agent_tag = Column(String)
    end_time = Column(DateTime(timezone=True))
    conversation_log = Column(JSON)
    user_initiated_questions = Column(Integer)
    session_emotion = Column(String)
    new_memories_count = Column(Integer)
    status = Column(String)
    attempt_count = Column(Integer)
    processed_at = Column(DateTime(timezone=True))
    friendship_score_change = Column(Numeric)
    score_breakdown = Column(JSONB)
    rule_version = Column(String)
    topic_id = Column(String)
    business_day = Column(Date)


class Status(Base):
    __tablename__ = "friendship_status"
    user_id = Column(String, primary_key=True)
    friendship_score = Column(Numeric)
    last_interaction_date = Column(DateTime(timezone=True))
    interaction_days = Column(DateMultirange)
    topic_metrics = Column(JSONB)
    updated_at = Column(DateTime(timezone=True))


class TopicAgent(Base):
    __tablename__ = "topic_agents"
    agent_tag = Column(String, primary_key=True)
    topic_id = Column(String)


def score(event):
    """The rules of friendship-1."""
    turns, index, log = 0, 1, event.conversation_log
    while index < len(log):
        if log[index]["speaker"] != log[index - 1]["speaker"]:
            turns += 1
            index += 1
        index += 1
    questions = event.user_initiated_questions or 0
    memories = event.new_memories_count or 0
    emotion = (event.session_emotion or "neutral").strip().lower()
    points = {"interesting": 15, "boring": -15}.get(emotion, 0)
    source = lambda value: "default" if value is None else "metadata"
    return {
        "rule_version": RULE_VERSION,
        "total_turns": turns,
        "user_initiated_questions": questions,
        "session_emotion": emotion,
        "new_memories_count": memories,
        "turns_score": turns,
        "questions_score": questions * 3,
        "emotion_score": points,
        "memories_score": memories * 5,
        "friendship_score_change": max(0, turns + questions * 3 + points + memories * 5),
        "sources": {
            "user_initiated_questions": source(event.user_initiated_questions),
            "session_emotion": source(event.session_emotion),
            "new_memories_count": source(event.new_memories_count),
        },
    }


def days_of(multirange):
    """`{[2026-01-01,2026-01-03),…}` as a set of days."""
    found = set()
    for part in multirange.strip("{}").replace("),[", ")|[").split("|"):
        if part:
            first, after = (date.fromisoformat(text) for text in part.strip("[)").split(","))
            found.update(first + timedelta(days=n) for n in range((after - first).days))
    return found


def multirange_of(days):
    return "{" + ",".join(f"[{day},{day + timedelta(days=1)})" for day in sorted(days)) + "}"


def iso(instant):
    return instant.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"


def fold(session, event, breakdown, day, topic_id):
    """Adds the event to the child's status; the row's lock is held until the commit."""
    now = datetime.now(timezone.utc)
    first = dict(friendship_score=0, last_interaction_date=event.end_time, interaction_days="{}", topic_metrics={}, updated_at=now)
    session.execute(insert(Status).values(user_id=event.user_id, **first).on_conflict_do_nothing())
    status = session.execute(select(Status).where(Status.user_id == event.user_id).with_for_update()).scalar_one()
    status.friendship_score += Decimal(breakdown["friendship_score_change"])
    status.last_interaction_date = max(status.last_interaction_date, event.end_time)
    status.interaction_days = multirange_of(days_of(status.interaction_days) | {day})
    if topic_id is not None:
        topic = status.topic_metrics.get(topic_id, {"score": 0, "turns": 0, "last_date": "", "agents_used": []})
        changed = {
            "score": topic["score"] + breakdown["friendship_score_change"],
            "turns": topic["turns"] + breakdown["total_turns"],
            "last_date": max(topic["last_date"], iso(event.end_time)),
            "agents_used": sorted({*topic["agents_used"], event.bot_id}),
        }
        status.topic_metrics = {**status.topic_metrics, topic_id: changed}
    status.updated_at = now


def process(new_session, body, several_commits):
    conversation_id = json.loads(body)["conversation_id"]
    with new_session() as session:
        event = session.get(Event, conversation_id)
        if event is None or event.status != "PENDING":
            return
        event.attempt_count += 1
        if several_commits:
            session.commit()
        breakdown = score(event)
        agent = session.get(TopicAgent, event.agent_tag) if event.agent_tag else None
        topic_id = agent.topic_id if agent else None
        day = event.end_time.astimezone(ZONE).date()
        fold(session, event, breakdown, day, topic_id)
        if several_commits:
            session.commit()
        event.status = "PROCESSED"
        event.friendship_score_change = breakdown["friendship_score_change"]
        event.score_breakdown = breakdown
        event.rule_version = RULE_VERSION
        event.topic_id = topic_id
        event.business_day = day
        event.processed_at = datetime.now(timezone.utc)
        session.commit()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=["sequential", "threads", "one-commit"], required=True)
    mode = parser.parse_args().mode
    threads = 1 if mode == "sequential" else int(os.environ["MESSAGE_CONCURRENCY_PER_WORKER"])
    url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg2://")
    new_session = sessionmaker(create_engine(url, pool_size=threads, max_overflow=0))
    report = os.environ.get("BENCH_LATENCY")

    def work(body, received):
        process(new_session, body, several_commits=mode != "one-commit")
        if report:
            line = json.dumps({"msg": "processed", "processing_ms": (time.perf_counter() - received) * 1000}, separators=(",", ":"))
            # One write, or two threads share a line.
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    connection = pika.BlockingConnection(pika.URLParameters(os.environ["RABBITMQ_URL"]))
    channel = connection.channel()
    channel.basic_qos(prefetch_count=threads)
    pool = ThreadPoolExecutor(threads)

    def handle_and_hand_back(tag, body, received):
        work(body, received)
        # A channel belongs to the thread of its connection.
        connection.add_callback_threadsafe(functools.partial(channel.basic_ack, tag))

    def end_on_error(done):
        if done.exception() is not None:
            traceback.print_exception(done.exception())
            os._exit(1)

    def on_message(_channel, method, _properties, body):
        received = time.perf_counter()
        if mode == "sequential":
            work(body, received)
            channel.basic_ack(method.delivery_tag)
        else:
            pool.submit(handle_and_hand_back, method.delivery_tag, body, received).add_done_callback(end_on_error)

    consumer = channel.basic_consume(os.environ["RABBITMQ_QUEUE"], on_message)
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    while not stopping:
        connection.process_data_events(time_limit=0.2)
    channel.basic_cancel(consumer)
    pool.shutdown()
    connection.process_data_events(time_limit=0)
    connection.close()


main()
