-- Turn Index
CREATE TABLE turns (
    turn_number SERIAL PRIMARY KEY,
    session_id TEXT NOT NULL,
    timestamp TIMESTAMPTZ DEFAULT NOW(),
    topic TEXT,
    intent TEXT,
    keywords JSONB,
    quality FLOAT,
    turn_dir TEXT NOT NULL,
    embedding_id UUID  -- References Qdrant vector
);

CREATE INDEX idx_turns_session ON turns(session_id, timestamp DESC);
CREATE INDEX idx_turns_topic ON turns USING gin(to_tsvector('english', topic));

-- Research Index
CREATE TABLE research (
    id SERIAL PRIMARY KEY,
    turn_number INTEGER REFERENCES turns(turn_number),
    primary_topic TEXT NOT NULL,
    quality_overall FLOAT,
    confidence_current FLOAT,
    created_at TIMESTAMPTZ DEFAULT NOW(),
    expires_at TIMESTAMPTZ,
    scope TEXT,
    content_types JSONB,
    doc_path TEXT
);

CREATE INDEX idx_research_topic ON research(primary_topic);
CREATE INDEX idx_research_quality ON research(quality_overall DESC);

-- Source Reliability
CREATE TABLE sources (
    domain TEXT PRIMARY KEY,
    success_count INTEGER DEFAULT 0,
    failure_count INTEGER DEFAULT 0,
    last_success TIMESTAMPTZ,
    last_failure TIMESTAMPTZ,
    reliability_score FLOAT DEFAULT 0.5,
    notes JSONB
);
