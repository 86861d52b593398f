"""The SQLite files of before Pandora, made up: plain ones, and ones with everything that SQLite lets stand in a column."""
import datetime
import os
import random
import sqlite3

START = 1767607200  # 2026-01-05T10:00:00Z

TURNS = """CREATE TABLE turns (turn_number INTEGER PRIMARY KEY, session_id TEXT NOT NULL, timestamp DATETIME DEFAULT CURRENT_TIMESTAMP, topic TEXT,
  intent TEXT, keywords TEXT, quality REAL, turn_dir TEXT NOT NULL, embedding_id TEXT)"""
RESEARCH = """CREATE TABLE research (id INTEGER PRIMARY KEY, turn_number INTEGER REFERENCES turns(turn_number), primary_topic TEXT NOT NULL,
  quality_overall REAL, confidence_current REAL, created_at DATETIME, expires_at DATETIME, scope TEXT, content_types TEXT, doc_path TEXT)"""
SOURCES = """CREATE TABLE sources (domain TEXT PRIMARY KEY, success_count INTEGER DEFAULT 0, failure_count INTEGER DEFAULT 0, last_success DATETIME,
  last_failure DATETIME, reliability_score REAL DEFAULT 0.5, notes TEXT)"""


def iso(seconds, suffix="Z"):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S") + suffix


def make_plain(folder, turns):
    with sqlite3.connect(os.path.join(folder, "turn_index.db")) as db:
        db.execute(TURNS)
        db.executemany("INSERT INTO turns VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)", [
            (n, f"session-{n % 3}", iso(START + n, ""), f"topic three {n}", "question", '["topic", "three"]', 0.123456789012345, f"panda_system_docs/turns/turn_{n:06}")
            for n in range(1, turns + 1)])
    with sqlite3.connect(os.path.join(folder, "research_index.db")) as db:
        db.execute(RESEARCH)
        db.executemany("INSERT INTO research VALUES (?, ?, ?, 0.7, 0.9, ?, ?, 'user', '[\"price\", \"vendor\"]', NULL)", [
            (n, n, f"subject {n}", iso(START + n), iso(START + n + 86400)) for n in range(1, min(5, turns) + 1)])
    with sqlite3.connect(os.path.join(folder, "source_reliability.db")) as db:
        db.execute(SOURCES)
        db.executemany("INSERT INTO sources VALUES (?, ?, 2, ?, NULL, 0.8, NULL)", [(f"shop{n}.example", 10 + n, iso(START)) for n in range(4)])


class HostileFiles:
    """`rows`: how many each table has; `refused`: (table, column, tag) of each row that nobody could keep; `expected`: of turns that must
    be kept, number → (created_at, quality). Columns have the types that such files have; what stands in them is another thing."""

    def __init__(self, folder, seed):
        self.random = random.Random(seed)
        self.rows, self.refused, self.expected = {}, [], {}
        self.tag = 0
        self.turns(os.path.join(folder, "turn_index.db"))
        self.research(os.path.join(folder, "research_index.db"))
        self.sources(os.path.join(folder, "source_reliability.db"))

    def insert(self, db, table, row, refused=None):
        self.tag += 1
        row = {**row, "tag": f"{table} {self.tag}"}
        # What a driver would not let through is written as bytes and cast: SQLite keeps it as text all the same.
        places = ", ".join("CAST(? AS TEXT)" if isinstance(value, Broken) else "?" for value in row.values())
        db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", [value.bytes if isinstance(value, Broken) else value for value in row.values()])
        self.rows[table] = self.rows.get(table, 0) + 1
        if refused:
            self.refused.append((table, refused, row["tag"]))

    def turns(self, path):
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        # No primary key, as tables that a script copied have none: whatever can stand in a number does.
        db.execute("CREATE TABLE turns (turn_number INTEGER, session_id TEXT, timestamp DATETIME, topic TEXT, intent TEXT, keywords JSONB, quality REAL, turn_dir TEXT, embedding_id UUID, pinned BOOLEAN, tag TEXT)")
        number = 0

        def turn(refused=None, expected=None, **values):
            nonlocal number
            number += 1
            row = {"turn_number": number, "session_id": "s", "timestamp": iso(START + number), "topic": f"subject {number}", "quality": 0.5, "turn_dir": f"turns/turn_{number:06}", **values}
            self.insert(db, "turns", row, refused)
            if not refused:
                at, quality = expected or (None, None)
                self.expected[row["turn_number"]] = (at or iso(START + number, ".000000Z"), 0.5 if quality is None else quality)

        for _ in range(self.random.randrange(20, 60)):
            quality = self.random.random()
            turn(quality=quality, expected=(None, quality))
        turn(quality="high", refused="quality")
        turn(quality="0.25", expected=(None, 0.25))
        turn(quality=0.123456789012345, expected=(None, 0.123456789012345))
        turn(quality=1e999, refused="quality")
        turn(quality=-0.1, refused="quality")
        turn(quality=None)
        turn(quality=b"\x01\x02", refused="quality")
        turn(turn_number="12abc", refused="turn_number")
        turn(turn_number=None, refused="turn_number")
        turn(turn_number=0, refused="turn_number")
        turn(turn_number=2 ** 60, refused="turn_number")
        turn(turn_number=1.5, refused="turn_number")
        turn(timestamp=1767607200.25, expected=("2026-01-05T10:00:00.250000Z", None))
        turn(timestamp=1767607200, expected=("2026-01-05T10:00:00.000000Z", None))
        turn(timestamp=1767607200123, expected=("2026-01-05T10:00:00.123000Z", None))
        turn(timestamp="1767607200", expected=("2026-01-05T10:00:00.000000Z", None))
        turn(timestamp="2026-01-05T10:00:00", expected=("2026-01-05T10:00:00.000000Z", None))
        turn(timestamp="2026-01-05 10:00:00", expected=("2026-01-05T10:00:00.000000Z", None))
        turn(timestamp="2026-01-05T10:00:00.5+02:00", expected=("2026-01-05T08:00:00.500000Z", None))
        turn(timestamp=0, refused="timestamp")
        turn(timestamp="0000-00-00 00:00:00", refused="timestamp")
        turn(timestamp="last tuesday", refused="timestamp")
        turn(timestamp=None, refused="timestamp")
        turn(timestamp="2026-02-30T10:00:00", refused="timestamp")
        turn(keywords='["a", "b"]')
        turn(keywords="")
        turn(keywords="null")
        turn(keywords='["a", NaN]', refused="keywords")
        turn(keywords='["a\\u0000b"]', refused="keywords")
        turn(keywords='["\\ud800"]', refused="keywords")
        turn(keywords="a, b", refused="keywords")
        turn(keywords='{"a": 1}', refused="keywords")
        turn(keywords="[1, 2]", refused="keywords")
        turn(keywords="[" * 5000, refused="keywords")
        turn(topic=Broken(b"caf\xe9"), refused="topic")
        turn(topic=Broken(b"a\x00b"), refused="topic")
        turn(topic=b"bytes", refused="topic")
        turn(topic=None, refused="topic")
        turn(topic=None, keywords='["only", "keywords"]')
        turn(topic="naïve 🦓 " + "long " * 50_000)
        turn(topic="'; DROP TABLE turns; --")
        turn(session_id=None, refused="session_id")
        turn(session_id="", refused="session_id")
        turn(session_id="a session/with ../everything")
        turn(session_id="a session\\with ../everything")
        turn(session_id=12)
        turn(intent="commerce")
        turn(pinned="true")
        turn(turn_dir="../../../../etc")
        turn(turn_dir="/etc/passwd")
        turn(turn_dir=None)
        turn(turn_dir="..")
        turn(embedding_id="no uuid")
        twice = number
        turn(turn_number=twice, timestamp=iso(START + twice), topic="the same row, other words", refused="turn_number")
        self.expected[900] = (iso(START + 900, ".000000Z"), 0.5)
        turn(turn_number=900, timestamp=iso(START + 900), session_id="first")
        del self.expected[900]
        turn(turn_number=900, timestamp=iso(START + 900), session_id="second")  # gets another number
        del self.expected[900]
        self.last = number
        db.close()

    def research(self, path):
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("CREATE TABLE research (id INTEGER, turn_number INTEGER, primary_topic TEXT, quality_overall FLOAT, confidence_current FLOAT, created_at DATETIME, expires_at DATETIME, scope TEXT, content_types JSONB, doc_path TEXT, tag TEXT)")
        number = 0

        def research(refused=None, **values):
            nonlocal number
            number += 1
            self.insert(db, "research", {"id": number, "turn_number": 1, "primary_topic": f"subject {number}", "quality_overall": 0.7, "confidence_current": 0.8, "created_at": iso(START),
                                         "expires_at": iso(START + 3600), "scope": "user", "content_types": '["price"]', **values}, refused)

        for _ in range(self.random.randrange(3, 9)):
            research(quality_overall=self.random.random())
        research(turn_number=999_999)  # of a turn that is gone: kept without it
        research(turn_number=None)
        research(turn_number="first", refused="turn_number")
        research(id=None, refused="id")
        research(primary_topic=None, refused="primary_topic")
        research(primary_topic=Broken(b"\xff\xfe"), refused="primary_topic")
        research(quality_overall="high", refused="quality_overall")
        research(confidence_current=1.5, refused="confidence_current")
        research(created_at=None, refused="created_at")
        research(created_at=START * 1000)
        research(expires_at="never", refused="expires_at")
        research(expires_at=None)
        research(scope="planet")
        research(scope="new")
        research(scope="session", turn_number=None)
        research(content_types='["price", "gossip"]')
        research(content_types="[]")
        research(content_types="price", refused="content_types")
        research(content_types='["' + '", "'.join(["price"] * 201) + '"]', refused="content_types")
        research(doc_path="../../../../../etc/passwd")
        research(id="twelve")
        research(id=1, primary_topic="subject 1", refused="id")
        db.close()

    def sources(self, path):
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("CREATE TABLE sources (domain TEXT PRIMARY KEY, success_count INTEGER, failure_count INTEGER, last_success DATETIME, last_failure DATETIME, reliability_score REAL, notes JSONB, tag TEXT)")

        def source(domain, refused=None, **values):
            self.insert(db, "sources", {"domain": domain, "success_count": 3, "failure_count": 1, "last_success": iso(START), **values}, refused)

        source("a.example")
        source("HTTPS://Upper.Example:443/path")
        source("zz.example", notes='{"worked": ["search"], "why": null}')
        source(None, refused="domain")
        source(None, refused="domain")  # NULL may stand twice in a primary key
        source("", refused="domain")
        source("not a domain", refused="domain")
        source("counts.example", success_count="12abc", refused="success_count")
        source("negative.example", failure_count=-1, refused="failure_count")
        source("real.example", success_count=3.0)
        source("half.example", success_count=3.5, refused="success_count")
        source("late.example", last_success="soon", refused="last_success")
        source("nan.example", notes='{"score": NaN}', refused="notes")
        source("zero.example", notes='{"text": "\\u0000"}')
        source("score.example", reliability_score="good", refused="reliability_score")
        source("null.example", success_count=None, failure_count=None, last_success=None)
        source("upper.example", refused="domain")  # once it is written as it should be, it is there twice
        db.close()


class Broken:
    """Text that is none, as another program's library wrote it."""

    def __init__(self, data):
        self.bytes = data
