//! The text form of values: what `ovs-vsctl` prints and reads (ovs-vsctl(8) "Database
//! Values").
