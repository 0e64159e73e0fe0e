//! The collector as a Node addon.
