//! Reads the records of a fleet with all processors, and keeps a few numbers of each.
//!
//! What surprises people: threads finish in any order; the result is brought into the order of nodes afterwards, so that the
//! same records give the same answer.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::find::{Finder, Source};
use super::node::{Asked, Names, NodeRecord};
use super::read::{Reading, Unreadable};

/// Paths that may wait for a reader.
const WAITING: usize = 1024;

/// What was read.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Records in order of their nodes, starts and files.
    pub records: Vec<NodeRecord>,
    /// Files without one.
    pub unreadable: Vec<Unreadable>,
    /// Names of their numbers.
    pub names: Names,
}

/// Reads all records of the sources. A file that cannot be read hides no other. `told` is called with the files read so far.
///
/// `now` is the time against which records without an end are held; one that was not saved for `stale` is taken as that of
/// a process that is gone.
pub fn gather(
    sources: &[Source],
    asked: &Asked,
    now: Timestamp,
    stale: SignedDuration,
    told: &mut dyn FnMut(usize),
) -> Gathered {
    let (names, large) = (Mutex::new(Names::default()), Mutex::new(()));
    let reading = Reading { asked, names: &names, large: &large, now, stale };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut records, mut unreadable) = (Vec::new(), Vec::new());
    let mut finder = Finder::new(sources);
    let (paths, jobs) = sync_channel::<PathBuf>(WAITING);
    let jobs = Mutex::new(jobs);
    std::thread::scope(|scope| {
        let (done, results) = sync_channel(WAITING);
        for _ in 0..threads {
            let (jobs, reading, done) = (&jobs, &reading, done.clone());
            scope.spawn(move || {
                let mut buffer = Vec::new();
                while let Some(path) = next(jobs) {
                    if done.send(reading.read(&path, &mut buffer)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(done);
        let finder = &mut finder;
        scope.spawn(move || {
            for path in finder {
                if paths.send(path).is_err() {
                    break;
                }
            }
        });
        for (count, result) in results.into_iter().enumerate() {
            match result {
                Ok(record) => records.push(record),
                Err(failure) => unreadable.push(failure),
            }
            told(count + 1);
        }
    });
    unreadable.extend(finder.failed());
    unreadable.sort();
    records.sort_by(|a: &NodeRecord, b| (&a.host, a.started, &a.path).cmp(&(&b.host, b.started, &b.path)));
    let names = names.into_inner().unwrap_or_else(PoisonError::into_inner);
    Gathered { records, unreadable, names }
}

fn next(jobs: &Mutex<Receiver<PathBuf>>) -> Option<PathBuf> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}
