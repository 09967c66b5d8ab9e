internal import TributaryCore
public import TributaryLineage

/// Keys of rows, one behind another in one buffer.
public final class RowKeys {
    let bytes = ByteBuffer()
    var ends: [Int] = []
    var order: [Int32] = []

    /// Makes an empty list.
    public init() {}

    /// How many there are.
    public var count: Int { order.count }

    /// The key at a place, as a view of the list until it is filled again.
    @_lifetime(borrow self)
    public func key(_ place: Int) -> RawSpan { stored(Int(order[place])) }

    @_lifetime(borrow self)
    private func stored(_ index: Int) -> RawSpan { bytes.bytes(in: (index == 0 ? 0 : ends[index - 1])..<ends[index]) }

    func removeAll() {
        bytes.writer.removeAll()
        bytes.writer.shrink(over: 1 << 20)
        ends.removeAll(keepingCapacity: ends.count < 1 << 16)
        order.removeAll(keepingCapacity: order.count < 1 << 16)
    }

    func append(_ key: RawSpan) {
        bytes.writer.append(key)
        order.append(Int32(ends.count))
        ends.append(bytes.count)
    }

    func sort(_ isBefore: (RawSpan, RawSpan) -> Bool) {
        order.sort { isBefore(stored(Int($0)), stored(Int($1))) }
    }
}

extension StateStore {
    // MARK: Windows that close

    /// Collects the keys of all rows whose times lie in a range, by time, then by key: the order in which windows that close are emitted.
    ///
    /// For stores that are ordered by time.
    ///
    /// - Parameters:
    ///   - times: the earliest and the latest: of a window's start or a session's end, ms.
    ///   - step: what all times are multiples of.
    ///   - list: gets the keys in place of what it has.
    public func rowKeys(times: ClosedRange<Int64>, step: Int64, into list: RowKeys) throws(StoreError) {
        state.value.ranges &+= 1
        list.removeAll()
        try layout.forEachKey(times: times) { (key) throws(StoreError) in
            if isCached, cache.find(key, StoreCache.probe(key)) >= 0 { return }
            list.append(key)
        }
        let stored = list.count
        if isCached { addCached(times, step, to: list) }
        let keys = layout.keys
        let isInMemory = !description.isPersistent
        guard list.count > stored || (isInMemory && keys == .session) else { return }
        list.sort { one, other in
            let (left, right) = (keys.rowTime(of: one), keys.rowTime(of: other))
            if left.time != right.time { return left.time < right.time }
            if !isInMemory && left.start != right.start { return left.start < right.start }
            let order = keys.recordKey(of: one).compare(to: keys.recordKey(of: other))
            return order != 0 ? order < 0 : left.start > right.start
        }
    }

    private func addCached(_ times: ClosedRange<Int64>, _ step: Int64, to list: RowKeys) {
        let keys = layout.keys
        func add(_ index: Int32) {
            guard cache.hasValue(index) else { return }
            search.key.writer.removeAll()
            cache.copyKey(index, into: &search.key.writer)
            if times.contains(keys.time(of: search.key.bytes)) { list.append(search.key.bytes) }
        }
        let first = max(times.lowerBound, 0)
        guard let families = cache.families, (times.upperBound - first) / max(step, 1) <= Int64(cache.count) else {
            for index in cache.indices(from: nil, through: nil) { add(index) }
            return
        }
        var time = first.addingSaturated(step - 1) / step * step
        while time <= times.upperBound {
            families.forEach(time: time) { add($0) }
            let next = time.addingReportingOverflow(step)
            if next.overflow { return }
            time = next.partialValue
        }
    }

    /// Reads a row that ``rowKeys(times:step:into:)`` named, as ``read(_:)`` does.
    ///
    /// Sessions in a persistent store are emitted as long as they are there, though other reads don't see them any more.
    ///
    /// - Returns: whether there is a value.
    public func readClosing(_ key: RawSpan) throws -> Bool {
        guard layout.keys == .session, description.isPersistent, !isCached else { return try read(key).exists }
        state.value.gets &+= 1
        guard try layout.getStored(key, into: &found.writer) else { return false }
        try decode(key)
        return true
    }

    /// Emits the row that the last ``readClosing(_:)`` found, since its window has closed: under a span that belongs to the row, and names what
    /// made it happen now.
    ///
    /// - Parameters:
    ///   - window: start and end, for the span.
    ///   - meta: of the record that made it happen.
    ///   - body: gets the lineage to forward.
    public func emit(
        window: (start: Int64, end: Int64), _ meta: borrowing RecordMeta, _ body: (borrowing Lineage) throws -> Void
    ) throws {
        var lineage = valueLineage
        let saved = keepsHeaders ? recorder.saveHeaders() : nil
        if keepsHeaders {
            // What it had of the headers on the list goes on, and nothing of the record that made it happen.
            copyRowHeaders()
            recorder.beginHeaders(meta.origin, entryHeaders.bytes)
        }
        defer { if keepsHeaders { recorder.restoreHeaders(saved) } }
        guard recorder.makesSpan(lineage.context) else { return try shown(lineage, body) }
        recorder.link(.trigger, meta.lineage.context)
        recorder.window(start: window.start, end: window.end)
        let span = recorder.begin(operations.emit, parent: lineage.context)
        lineage.context = span.context
        do { try shown(lineage, body) } catch {
            recorder.end(span, error: error)
            throw error
        }
        recorder.end(span)
    }

    private func shown(_ lineage: Lineage, _ body: (borrowing Lineage) throws -> Void) throws {
        let seen = recorder.show(lineage)
        defer { recorder.show(again: seen) }
        try body(lineage)
    }
}
