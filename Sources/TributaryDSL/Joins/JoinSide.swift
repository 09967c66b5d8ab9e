public import TributaryCore
public import TributaryLineage
public import TributaryState

/// One side of a join of two streams in one task: looks for the other side's records with each of its own.
@usableFromInline
final class JoinSide<Key, Own, Other, Result> {
    @usableFromInline let next: NodeInput<Key, Result>
    @usableFromInline let progress: JoinProgress
    @usableFromInline let user: UserCode
    @usableFromInline let recorder: LineageRecorder
    @usableFromInline let others: StateStore
    @usableFromInline let unmatched: UnmatchedRecords?
    @usableFromInline let keySerde: Serde<Key>
    @usableFromInline let own: Serde<Own>
    @usableFromInline let other: Serde<Other>
    @usableFromInline let nullKey: Nullability<Key>?
    @usableFromInline let isLeft: Bool
    /// Whether a record without match makes a result.
    @usableFromInline let standsAlone: Bool
    /// Whether one of the other side does.
    @usableFromInline let otherStandsAlone: Bool
    /// How much earlier and later the other side's records may be, ms.
    @usableFromInline let before: Int64
    @usableFromInline let after: Int64
    @usableFromInline let asksForKey: Bool
    @usableFromInline let joiner: (Key?, Own?, Other?) throws -> Result
    @usableFromInline let alone: (Key?, _ isLeft: Bool, RawSpan) throws -> Result
    @usableFromInline let emission: Int32
    @usableFromInline let rows = ScratchRows()

    @inlinable
    init(
        _ results: JoinResults<Key, Result>, _ context: NodeContext, _ node: String, others: String,
        unmatched: String?, _ kind: JoinKind, _ windows: JoinWindows, isLeft: Bool, _ key: Serde<Key>,
        _ own: Serde<Own>, _ other: Serde<Other>, asksForKey: Bool,
        _ joiner: @escaping (Key?, Own?, Other?) throws -> Result,
        alone: @escaping (Key?, _ isLeft: Bool, RawSpan) throws -> Result
    ) throws {
        next = results.next
        progress = results.progress
        user = UserCode(node, context.services)
        recorder = context.recorder
        self.others = try context.services.store(others)
        let interval = context.services.emitInterval
        self.unmatched = try unmatched.map {
            UnmatchedRecords(try context.services.store($0), results.progress, kind, windows, interval: interval)
        }
        keySerde = key
        self.own = own
        self.other = other
        nullKey = Nullability<Key>.of()
        self.isLeft = isLeft
        standsAlone = isLeft ? kind.keepsLeft : kind.keepsRight
        otherStandsAlone = isLeft ? kind.keepsRight : kind.keepsLeft
        before = isLeft ? windows.beforeTime : windows.afterTime
        after = isLeft ? windows.afterTime : windows.beforeTime
        self.asksForKey = asksForKey || results.next.keyless == nil
        self.joiner = joiner
        self.alone = alone
        emission = joinEmission(node, context.recorder)
    }

    @inlinable var input: JoinInput<Key, Own> {
        JoinInput { key, value, bytes, meta in try self.take(key, value, bytes, meta) }
    }

    @inlinable
    func take(_ key: Key?, _ value: Own?, _ bytes: RawSpan?, _ meta: borrowing RecordMeta) throws {
        let time = meta.timestamp
        progress.advance(to: time)
        guard let bytes else { return user.dropped(meta.hasKey ? .nullValue : .nullKey, meta) }
        guard meta.hasKey else {
            guard standsAlone else { return user.dropped(.nullKey, meta) }
            return try sendAlone(key, value, bytes, meta)
        }
        if time == progress.time, let unmatched {
            guard try emitClosed(unmatched, meta) else { return }
        }
        let rows = self.rows.take()
        defer { self.rows.give(rows) }
        guard try find(meta, into: rows) else { return }
        guard rows.count == 0 else { return try match(key, value, bytes, rows, 0..<rows.count, meta) }
        let last = max(time.addingSaturated(after), 0)
        guard standsAlone else { return }
        guard let unmatched, last >= progress.time else { return try sendAlone(key, value, bytes, meta) }
        do { try unmatched.add(bytes, isLeft: isLeft, meta) } catch { try user.failed(error, meta) }
    }

    /// Finds the other side's records that are close enough; false if that failed and is done with.
    @inlinable
    func find(_ meta: borrowing RecordMeta, into rows: CopiedRows) throws -> Bool {
        let time = meta.timestamp
        do {
            try others.copyWindows(
                of: meta.key, from: max(time.subtractingSaturated(before), 0),
                through: max(time.addingSaturated(after), 0), into: rows)
            return true
        } catch {
            try user.failed(error, meta)
            return false
        }
    }

    /// Makes a result with each record of some that were found.
    @inlinable
    func match(
        _ key: Key?, _ value: Own?, _ bytes: RawSpan, _ rows: CopiedRows, _ range: Range<Int>,
        _ meta: borrowing RecordMeta
    ) throws {
        if range.isEmpty { return }
        let left: Own
        let record: Key?
        do {
            record = try decoded(key, meta)
            left = if let value { value } else { try own.decode(bytes) }
        } catch {
            return try user.failed(error, meta)
        }
        for index in range {
            let result: Result
            let joined: Lineage
            let time = KeySchema.window.time(of: rows.key(index))
            let saved = recorder.propagatesHeaders ? recorder.saveHeaders() : nil
            defer { recorder.restoreHeaders(saved) }
            do {
                if otherStandsAlone, let unmatched { try unmatched.remove(at: time, isLeft: !isLeft, meta) }
                try others.show(index, of: rows)
                let row = others.valueLineage
                let match = try others.decodedValue(other, key: rows.key(index))
                // Before the closure, so that its time isn't the read's.
                let context = others.readSpan(meta.lineage.context, link: .joined, row.context)
                others.passHeaders(to: meta.origin)
                result = try joiner(record, left, match)
                joined = recorder.combine(context, meta.lineage.cell, row.cell)
            } catch {
                return try user.failed(error, meta)
            }
            let held = CollectionOfOne(joined)
            try send(record, result, meta.with(timestamp: max(meta.timestamp, time), held.span))
        }
    }

    /// Makes a result of a record that has no match, and can have none or needn't wait for one.
    @inlinable
    func sendAlone(_ key: Key?, _ value: Own?, _ bytes: RawSpan, _ meta: borrowing RecordMeta) throws {
        let result: Result
        let record: Key?
        do {
            record = try decoded(key, meta)
            result = try joiner(record, value ?? own.decode(bytes), nil)
        } catch {
            return try user.failed(error, meta)
        }
        try send(record, result, meta)
    }

    /// Makes results of the records of both sides whose windows are over.
    @inlinable
    func emitClosed(_ unmatched: UnmatchedRecords, _ meta: borrowing RecordMeta) throws -> Bool {
        try unmatched.emitClosed(isLeft: isLeft, wallClock: user.services.wallClock, meta) {
            isLeft, key, time, value, lineage in
            let result: Result
            let record: Key?
            do {
                record = asksForKey ? try keySerde.decode(key) : nil
                result = try alone(record, isLeft, value)
            } catch {
                try user.failed(error, meta)
                return false
            }
            let late = CollectionOfOne(lateLineage(lineage, meta))
            try send(record, result, meta.with(key: key, timestamp: time, late.span))
            return true
        }
    }

    // What is late belongs to what it is made of; the record at hand only made it go.
    @usableFromInline
    func lateLineage(_ lineage: Lineage, _ meta: borrowing RecordMeta) -> Lineage {
        guard recorder.makesSpan(lineage.context) else { return lineage }
        recorder.link(.trigger, meta.lineage.context)
        return Lineage(context: recorder.span(emission, parent: lineage.context), cell: lineage.cell)
    }

    @inlinable
    func decoded(_ key: Key?, _ meta: borrowing RecordMeta) throws -> Key? {
        guard asksForKey, key == nil else { return key }
        guard meta.hasKey else { return nullKey?.null() }
        return try keySerde.decode(meta.key)
    }

    @inlinable
    @inline(__always)
    func send(_ key: Key?, _ result: Result, _ meta: borrowing RecordMeta) throws {
        if let send = next.keyless { return try send(result, meta) }
        guard let key else { return }
        try next.call(key, result, meta)
    }
}

/// The operation of spans of results that come late.
@usableFromInline
func joinEmission(_ node: String, _ recorder: LineageRecorder) -> Int32 {
    recorder.operation("emit \(node)", kind: .internal, attributes: [AttributeNames.processor: .string(node)])
}
