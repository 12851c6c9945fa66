//! Money: capital recovery, tariffs, ownership over years, and what moves the result most.
