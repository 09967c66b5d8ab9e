public import TributaryCore
public import TributaryLineage

extension StateStore {
    // MARK: Reading

    /// Reads a key's value into the store's own buffer: ``value``, ``valueTimestamp`` and ``valueLineage`` until the next read.
    ///
    /// - Returns: whether there is a value, and what a write that goes on from it needs.
    @inline(__always)
    public func read(_ key: RawSpan) throws -> RowHandle {
        let read = try readHeld(key)
        if read.entry >= 0 { try encodeHeld(read.entry) }
        return read
    }

    /// Reads as ``read(_:)`` does, for whoever takes the value from the holder: where ``isHeld(_:)`` is true ``value`` may be an earlier
    /// one's bytes.
    @inline(__always)
    public func readHeld(_ key: RawSpan) throws -> RowHandle {
        state.value.gets &+= 1
        guard isCached else { return handle(-1, exists: try readInner(key)) }
        let probe = StoreCache.probe(key)
        let index = cache.find(key, probe)
        if index >= 0 {
            state.value.fetched = cache.fetchLineage(index)
            return handle(index, exists: readCached(index))
        }
        return try readThrough(key, probe)
    }

    @inline(__always)
    func readCached(_ index: Int32) -> Bool {
        cache.touch(index)
        guard cache.hasValue(index) else { return false }
        state.value.viewed = index
        state.value.timestamp = cache.timestamp(index)
        state.value.lineageFrom = index
        return true
    }

    // What is kept becomes a clean entry.
    @inline(never)
    func readThrough(_ key: RawSpan, _ probe: StoreCache.Probe) throws -> RowHandle {
        state.value.misses &+= 1
        guard try readInner(key) else { return handle(-1, exists: false) }
        if !keepsReads { return handle(-1, exists: true) }
        if keepsHeaders { copyRowHeaders() }
        var index = cache.insert(key, probe)
        cache.set(
            index, value, timestamp: valueTimestamp, recordTime: 0, source: 0, offset: -1,
            headers: keepsHeaders ? entryHeaders.bytes : RawSpan.empty, charge: 0)
        cache.noteClean(index)
        cache.setLineage(index, state.value.lineage)
        guard cache.budget.usedBytes > cache.budget.limit else { return handle(index, exists: true) }
        // What is evicted may be forwarded to nodes that read this store, too: read again what they may have overwritten.
        try evict(cache)
        index = cache.find(key, probe)
        return handle(index, exists: index >= 0 ? readCached(index) : try readInner(key))
    }

    /// The context of a row's write, for a link: `TraceContext.none` if it has none, nil if there is no row.
    ///
    /// Nothing else is to be seen of it: neither what the cache holds nor its order, counts or the value at hand change.
    public func peekContext(_ key: RawSpan) throws(StoreError) -> TraceContext? {
        if isCached {
            let index = cache.find(key, StoreCache.probe(key))
            if index >= 0 {
                guard cache.hasValue(index) else { return nil }
                return keepsLineage ? cache.context(index) : TraceContext.none
            }
        }
        guard try layout.peek(key, into: &peeked.writer) else { return nil }
        do throws(EnvelopeError) {
            let view = try EnvelopeView(peeked.bytes)
            var context = view.context
            if !view.tracestate.isEmpty { recorder.know(view.tracestate, of: &context) }
            return context
        } catch {
            throw StoreError(.corrupt, "\(error)", store: name, key: key.hexadecimal)
        }
    }

    func readInner(_ key: RawSpan) throws(StoreError) -> Bool {
        guard recorder.isTracing ? try timedGet(key) : try layout.get(key, into: &found.writer) else { return false }
        try decode(key)
        return true
    }

    @inline(never)
    private func timedGet(_ key: RawSpan) throws(StoreError) -> Bool {
        let start = recorder.time.wall.nanoseconds()
        let exists = try layout.get(key, into: &found.writer)
        state.value.readTimes = (start, recorder.time.wall.nanoseconds())
        return exists
    }

    /// When the last read began and ended; nil if the cache answered, in less than a reading of the clock.
    private func readTimes(isCached: Bool) -> (start: Int64, end: Int64)? {
        guard !isCached, state.value.readTimes.start != 0 else { return nil }
        defer { state.value.readTimes = (0, 0) }
        return state.value.readTimes
    }

    func decode(_ key: RawSpan) throws(StoreError) {
        do throws(EnvelopeError) {
            let view = try EnvelopeView(found.bytes)
            state.value.timestamp = view.timestamp ?? 0
            state.value.lineage.context = view.context
            if !view.tracestate.isEmpty {
                recorder.know(view.tracestate, of: &state.value.lineage.context)
            }
            if keepsCells { state.value.lineage.cell = try readCell(view.cell) }
            state.value.start = found.count &- (view.payload?.byteCount ?? 0)
            state.value.lineageFrom = -1
            state.value.viewed = -1
        } catch {
            throw StoreError(.corrupt, "\(error)", store: name, key: key.hexadecimal)
        }
    }

    // A row written without cells has a gap, never a silent "complete".
    func readCell(_ bytes: RawSpan) throws(EnvelopeError) -> Cell {
        if bytes.isEmpty { return gapCell }
        do throws(MalformedBytes) { return try arena.decode(bytes) } catch { throw EnvelopeError(cell: error) }
    }

    var gapCell: Cell {
        var cell = Cell.empty
        cell.flags = Cell.gap
        return cell
    }

    /// The value that the last ``read(_:)`` found.
    ///
    /// A view of the store's memory until its next read or write.
    public var value: RawSpan {
        @_lifetime(immortal)
        get {
            guard state.value.viewed >= 0 else { return found.bytes(from: state.value.start) }
            return cachedValue()
        }
    }

    @inline(__always)
    @_lifetime(immortal)
    private func cachedValue() -> RawSpan {
        let index = state.value.viewed
        if cache.isLong(index) { return cache.longValue(index) }
        found.writer.removeAll()
        cache.copyShort(index, into: &found.writer)
        return found.bytes
    }

    /// The timestamp of the value that the last ``read(_:)`` found, ms.
    @inline(__always) public var valueTimestamp: Int64 { state.value.timestamp }

    /// The lineage of the value that the last ``read(_:)`` found: the context and cell of its write.
    ///
    /// Until the next read or write.
    public var valueLineage: Lineage {
        guard state.value.lineageFrom >= 0 else { return state.value.lineage }
        return cache.lineage(state.value.lineageFrom)
    }

    /// The context of the value that the last ``read(_:)`` found; until the next read or write.
    public var rowContext: TraceContext {
        guard state.value.lineageFrom >= 0 else { return state.value.lineage.context }
        return keepsLineage ? cache.context(state.value.lineageFrom) : .none
    }

    var rowCell: Cell {
        state.value.lineageFrom >= 0 ? cache.cell(state.value.lineageFrom) : state.value.lineage.cell
    }

    /// Makes the span of a read that found a row, linked to the write that made it, and returns its context.
    @inline(__always)
    public func readSpan(_ parent: TraceContext, link: LinkType, _ row: TraceContext) -> TraceContext {
        guard recorder.makesSpan(parent) else { return parent }
        if followsSource { recorder.link(link, record: valueLineage) } else { recorder.link(link, row) }
        let context = recorder.span(
            operations.get, parent: parent, times: readTimes(isCached: state.value.lineageFrom >= 0))
        if recorder.capturesHeaders && keepsHeaders { captureRowHeaders() }
        return context
    }

    /// Makes the span of the last read, which found a row that an aggregation goes on from.
    @inline(__always)
    public func previousSpan(_ meta: borrowing RecordMeta) {
        guard recorder.makesSpan(meta.lineage.context) else { return }
        recorder.link(.previous, rowContext)
        _ = recorder.span(
            operations.get, parent: meta.lineage.context, times: readTimes(isCached: state.value.lineageFrom >= 0))
        if recorder.capturesHeaders && keepsHeaders { captureRowHeaders() }
    }

    /// Makes the span of a read that found nothing.
    @inline(__always)
    public func missSpan(_ read: RowHandle, _ parent: TraceContext) {
        guard recorder.makesSpan(parent) else { return }
        _ = recorder.span(
            operations.get, parent: parent, times: readTimes(isCached: read.entry >= 0))
    }

    /// Opens a walk, with a span over that; the rows come when they are asked for.
    public func withScanSpan(_ parent: TraceContext, _ open: () throws -> StoreScan) throws -> StoreScan {
        guard recorder.makesSpan(parent) else { return try open() }
        let span = recorder.begin(operations.scan, parent: parent)
        do {
            let scan = try open()
            recorder.end(span)
            return scan
        } catch {
            recorder.end(span, error: error)
            throw error
        }
    }
}
