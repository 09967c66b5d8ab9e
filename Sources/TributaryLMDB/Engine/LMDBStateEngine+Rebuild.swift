internal import TributaryCore
public import TributaryState

extension LMDBStateEngine {
    /// Begins a new file beside this one, empty, to be filled with ``copyTables(_:to:)`` and by hand.
    ///
    /// ``finishRebuild(_:)`` puts it in this one's place; ``cancelRebuild(_:)`` or a crash leaves everything as it was. The
    /// new engine may be filled on another thread than this one is used on, if that thread commits it.
    public func beginRebuild() throws(StoreError) -> LMDBStateEngine {
        try Self.deleteRebuild(path)
        // Nothing counts before the swap, which writes everything to disk.
        var options = options
        options.durability = .fast
        return try LMDBStateEngine(directory: directory, fileName: fileName + ".rebuild", options: options)
    }

    /// Copies tables to an engine that doesn't have them yet, in key order, with commits in between that bound its memory.
    ///
    /// - Parameters:
    ///   - names: tables of this engine; what isn't committed is copied, too.
    ///   - target: the engine that gets them.
    public func copyTables(_ names: [String], to target: LMDBStateEngine) throws(StoreError) {
        for name in names {
            try StateTableName.check(name)
            try known(name).copyAll(to: target.known(name)) { () throws(StoreError) in
                if target.dirtyBytes >= 32 << 20 { try target.commit() }
            }
        }
    }

    /// Copies metadata under whole keys; those that aren't there are left out.
    public func copyMetadata(_ keys: [String], to target: LMDBStateEngine) throws(StoreError) {
        for key in keys { if let value = try metadata(key) { try target.setMetadata(key, value) } }
    }

    /// Commits a rebuilt engine, puts its file in this one's place, durably, and goes on with it.
    ///
    /// What isn't committed in this engine is gone, open cursors end, tables and readers stay usable. If the swap fails before the
    /// new file is in place, this engine goes on with the old one and throws.
    public func finishRebuild(_ rebuilt: LMDBStateEngine) throws(StoreError) {
        do throws(StoreError) {
            try rebuilt.commit()
            try rebuilt.syncFile()
        } catch {
            try? cancelRebuild(rebuilt)
            throw error
        }
        let from = rebuilt.path
        rebuilt.close()
        try reopen { () throws(StoreError) in
            options.killPoint?(.rebuiltSynced)
            try StateFiles.replace(path, by: from, options.faults)
            options.killPoint?(.rebuiltRenamed)
            try StateFiles.syncFolder(directory, options.faults)
            // Readers in other processes keep the old file with the old lock; the new file counts transactions anew, in a new one.
            try StateFiles.delete(path + "-lock")
            try Self.deleteRebuild(path)
            options.killPoint?(.rebuiltInPlace)
        }
    }

    private func syncFile() throws(StoreError) {
        do throws(LMDBError) { try core.state.value.environment?.sync() } catch { throw StoreError(error) }
    }

    /// Gives up a rebuilt engine and deletes its file.
    public func cancelRebuild(_ rebuilt: LMDBStateEngine) throws(StoreError) {
        rebuilt.close()
        try Self.deleteRebuild(path)
    }

    /// Deletes what a rebuild has left behind.
    static func deleteRebuild(_ path: String) throws(StoreError) {
        for suffix in [".rebuild", ".rebuild-lock", ".rebuild-unsynced"] { try StateFiles.delete(path + suffix) }
    }
}

extension LMDBTable {
    /// Appends everything to an empty table, as it lies: buckets of long keys are not taken apart.
    func copyAll(to target: LMDBTable, afterEach: () throws(StoreError) -> Void) throws(StoreError) {
        try prepare()
        guard state.value.openCursors == 0 else {
            throw StoreError(.invalidRequest, "a table with an open cursor cannot be copied", store: name)
        }
        try target.create()
        let handle = try openCursor()
        defer { core.state.value.transaction?.close(handle) }
        var key = ByteWriter(capacity: 512)
        var value = ByteWriter()
        var physical = ByteWriter(capacity: 512)
        var move = LMDBMove.first
        while try step(handle, move, &key, &value) {
            move = .next
            KeyBucket.write(key.bytes, into: &physical)
            try target.appendPhysical(physical.bytes, value.bytes)
            try afterEach()
        }
        try target.prepare()
        target.state.value.surplus = state.value.surplus
        target.state.value.surplusChanged = state.value.surplus != 0
    }

    private func step(
        _ handle: LMDBWriteCursor, _ move: LMDBMove, _ key: inout ByteWriter, _ value: inout ByteWriter
    ) throws(StoreError) -> Bool {
        do throws(LMDBError) {
            return try core.state.value.step(handle, move, state.value.seal, key: &key, value: &value) != .end
        } catch {
            throw StoreError(error, store: name)
        }
    }

    private func appendPhysical(_ key: RawSpan, _ value: RawSpan) throws(StoreError) {
        try prepare()
        let cursor = try state.value.requireCursor()
        do throws(LMDBError) {
            try core.state.value.put(cursor, key, value, state.value.seal, append: true)
        } catch {
            throw core.failed(error, store: name)
        }
        core.state.value.dirtyBytes &+= key.byteCount &+ value.byteCount
    }
}
