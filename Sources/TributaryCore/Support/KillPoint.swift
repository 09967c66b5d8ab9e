/// A place between two steps of what must survive a kill of the process: tests have it killed there.
///
/// Production has no hook, and none of the places lies on the way of a record.
package enum KillPoint: String, Sendable, CaseIterable {
    // A commit of a stream thread.
    /// The caches are flushed, which forwards and logs what they held; nothing is committed.
    case cachesFlushed
    /// At least once: everything that was sent is written, the offsets aren't.
    case outputsWritten
    /// The log has committed; the state that belongs to it is in memory.
    case logCommitted
    /// The positions lie beside the rows, in the state's transaction, which isn't committed.
    case positionsSaved
    /// The state is committed; the log's records of repartition topics that were processed are still there.
    case stateCommitted
    /// The processed records of repartition topics are deleted.
    case purged

    // The embedded log's writer.
    /// A group of transactions is in LMDB's transaction, which isn't committed.
    case groupWritten
    /// It is committed; nobody was told.
    case groupCommitted

    // A restore.
    /// What is to be restored is known, and nothing is.
    case restoreBegun
    /// A batch of the changelog was applied to rows that are trusted, or lies in the sorter of rows that are built anew.
    case restoreBatch
    /// All rows were applied; the position is the old one.
    case restoreApplied
    /// All stores of the task are where their changelogs end, durably.
    case restored

    // The swap of a state file that was built anew.
    /// The new file is whole and synced, beside the old one.
    case rebuiltSynced
    /// The new file has the old one's name; its folder isn't synced.
    case rebuiltRenamed
    /// All of the old file is gone, and the new one isn't open.
    case rebuiltInPlace

    // A compaction of a partition of the embedded log.
    /// The newest offset of each key is known.
    case compactionNoted
    /// A rewritten batch is in LMDB's transaction, which isn't committed.
    case compactionWritten
    /// Batches may be committed; the partition doesn't say that it is compacted.
    case compactionCommitted
}

/// What tests have called at each ``KillPoint``, from the thread that is there.
package typealias KillPointHook = @Sendable (KillPoint) -> Void
