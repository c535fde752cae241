//! The agent of the conformance suite; `conformance/README.md` of the repository says what it reads and writes.

mod calls;
mod values;

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use honker::{
    Database, Job, Lock, Outbox, Queue, Scheduler, Stop, Stream, StreamSubscription, Subscription, Transaction,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// A line of the input.
#[derive(Deserialize)]
struct Request {
    id: u64,
    call: String,
    #[serde(default)]
    on: Option<String>,
    #[serde(default, rename = "as")]
    store_as: Option<String>,
    args: Value,
    #[serde(default)]
    background: bool,
}

/// What a call answers.
enum Answer {
    Value(Value),
    Cancelled(Value),
    /// An object, with the value that stands for it.
    Object(Object, Value),
    Jobs(Vec<Job>),
}

/// A call that failed, with the code of the protocol.
struct Failure {
    code: String,
    message: String,
}

impl From<honker::Error> for Failure {
    fn from(error: honker::Error) -> Self {
        Self { code: error.code().to_owned(), message: error.to_string() }
    }
}

impl Failure {
    fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }
}

type Outcome = Result<Answer, Failure>;

/// Something that a call stored.
#[derive(Clone)]
enum Object {
    Database(Database),
    Queue(Queue),
    Job(Job),
    Lock(Arc<Mutex<Option<Lock>>>),
    Stream(Stream),
    Events(Arc<Mutex<StreamSubscription>>),
    Listener(Arc<Mutex<Subscription>>),
    Scheduler(Scheduler),
    Outbox(Outbox, Arc<Mutex<Vec<Value>>>),
}

/// The objects that all calls share.
#[derive(Clone, Default)]
struct Stored {
    objects: Arc<Mutex<HashMap<String, Object>>>,
}

impl Stored {
    fn objects(&self) -> MutexGuard<'_, HashMap<String, Object>> {
        lock(&self.objects)
    }

    fn get(&self, name: &str) -> Result<Object, Failure> {
        self.objects().get(name).cloned().ok_or_else(|| Failure::new("AGENT", format!("there is no {name}")))
    }

    /// The value of an answer, after its objects are stored.
    fn store(&self, store_as: Option<&str>, answer: Answer) -> (Value, bool) {
        match answer {
            Answer::Value(value) => (value, false),
            Answer::Cancelled(value) => (value, true),
            Answer::Object(object, value) => {
                if let Some(name) = store_as {
                    self.objects().insert(name.to_owned(), object);
                }
                (value, false)
            }
            Answer::Jobs(jobs) => {
                let values = jobs.iter().map(values::job).collect();
                for (index, job) in jobs.into_iter().enumerate() {
                    if let Some(name) = store_as {
                        self.objects().insert(format!("{name}.{index}"), Object::Job(job));
                    }
                }
                (values, false)
            }
        }
    }
}

/// The state of the thread that reads. Transactions stay in it.
#[derive(Default)]
struct Agent {
    stored: Stored,
    transactions: HashMap<String, Transaction<'static>>,
    stops: HashMap<u64, Stop>,
}

impl Agent {
    fn handle(&mut self, request: Request) {
        if request.background {
            let stop = Stop::new();
            self.stops.insert(request.id, stop.clone());
            let stored = self.stored.clone();
            std::thread::spawn(move || answer(&stored, &request, calls::waiting(&stored, &request, &stop)));
            return;
        }
        let outcome = self.call(&request);
        answer(&self.stored, &request, outcome);
    }

    fn call(&mut self, request: &Request) -> Outcome {
        let Some(on) = request.on.as_deref() else {
            return self.without_object(request);
        };
        if self.transactions.contains_key(on) {
            return self.on_transaction(on, request);
        }
        if request.call == "begin" {
            return self.begin(on, request);
        }
        let transaction = request.args["tx"].as_str().map(|name| &self.transactions[name]);
        calls::direct(&self.stored, request, transaction)
    }

    fn without_object(&mut self, request: &Request) -> Outcome {
        match request.call.as_str() {
            "open" => {
                let db = Database::open(request.args["path"].as_str().unwrap_or_default())?;
                Ok(Answer::Object(Object::Database(db), json!(true)))
            }
            "cancel" => {
                if let Some(stop) = request.args["call"].as_u64().and_then(|id| self.stops.remove(&id)) {
                    stop.stop();
                }
                Ok(Answer::Value(Value::Null))
            }
            other => Err(Failure::new("UNSUPPORTED", other)),
        }
    }

    /// A transaction borrows its handle; this one is kept for the life of the process.
    fn begin(&mut self, on: &str, request: &Request) -> Outcome {
        let Object::Database(db) = self.stored.get(on)? else { return Err(Failure::new("AGENT", "no database")) };
        let transaction = Box::leak(Box::new(db)).transaction()?;
        let name = request.store_as.clone().unwrap_or_default();
        self.transactions.insert(name, transaction);
        Ok(Answer::Value(json!(true)))
    }

    fn on_transaction(&mut self, on: &str, request: &Request) -> Outcome {
        match request.call.as_str() {
            "execute" => {
                let sql = request.args["sql"].as_str().unwrap_or_default();
                self.transactions[on].execute(sql, [])?;
            }
            end => {
                let transaction = self.transactions.remove(on).expect("it is there");
                if end == "commit" { transaction.commit()? } else { transaction.rollback()? }
            }
        }
        Ok(Answer::Value(Value::Null))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes the answer of a call.
fn answer(stored: &Stored, request: &Request, outcome: Outcome) {
    let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_micros());
    let at = u64::try_from(at).unwrap_or(0);
    let line = match outcome {
        Ok(answered) => match stored.store(request.store_as.as_deref(), answered) {
            (value, true) => json!({"id": request.id, "value": value, "cancelled": true, "at": at}),
            (value, false) => json!({"id": request.id, "value": value, "at": at}),
        },
        Err(Failure { code, message }) => {
            json!({"id": request.id, "error": {"code": code, "message": message}, "at": at})
        }
    };
    let mut output = std::io::stdout().lock();
    // The suite has gone if this fails, and the end of the input follows.
    let _is_gone = writeln!(output, "{line}").and_then(|()| output.flush());
}

fn main() {
    let mut agent = Agent::default();
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("the input is UTF-8");
        agent.handle(serde_json::from_str(&line).expect("each line is a request"));
    }
    // Waits that are left end with their handles.
    for object in agent.stored.objects().values() {
        if let Object::Database(db) = object {
            db.close();
        }
    }
}
