//! A borrow of an id's expression ends before the body begins.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};

use monitor_runtime::testing::Recording;
use monitor_runtime::track_agent;

use crate::function_shapes::assert_succeeded;

struct Named(RefCell<String>, Mutex<String>);

impl Named {
    #[track_agent(id = self.0.borrow().clone())]
    fn renames(&self) {
        self.0.borrow_mut().push('x');
    }
}

#[track_agent(id = named.lock().unwrap().clone())]
async fn locks(named: Arc<Mutex<String>>) {
    tokio::task::yield_now().await;
    named.lock().unwrap().push('x');
}

#[track_agent(id = [0_u8; 4_000].map(|_| "x").concat().get(..3).unwrap().to_owned())]
async fn computes() {
    tokio::task::yield_now().await;
}

#[tokio::test]
async fn an_id_keeps_no_lock_no_memory_and_no_thread() {
    let recording = Recording::start();
    let named = Named(RefCell::new("renamed".to_owned()), Mutex::default());
    named.renames();
    assert_eq!(*named.0.borrow(), "renamedx");
    assert!(named.1.lock().unwrap().is_empty());
    tokio::spawn(locks(Arc::new(Mutex::new("locked".to_owned())))).await.unwrap();
    assert!(size_of_val(&computes()) <= 256, "{} bytes", size_of_val(&computes()));
    computes().await;
    assert_succeeded(&recording, &["renamed", "locked", "xxx"]);
}
