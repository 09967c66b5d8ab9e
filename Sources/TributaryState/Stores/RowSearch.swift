public import TributaryCore

/// The buffers of searches for the rows of a record's key.
final class RowSearch {
    /// The key that a table was found to have, and the one before.
    let key = ByteBuffer(capacity: 64)
    let last = ByteBuffer(capacity: 64)
    /// The bounds of a search.
    let low = ByteBuffer(capacity: 64)
    let high = ByteBuffer(capacity: 64)
    /// Times that the engine has, ascending, and those that the cache has, descending.
    let stored = ByteBuffer(capacity: 64)
    let cached = ByteBuffer(capacity: 64)
}

/// Where a row of a record's key lies in time, ms: in window stores the window's start, twice; in session stores its end and its start.
public struct RowTime: BitwiseCopyable, Sendable, Hashable {
    /// The time by which rows are kept.
    public var time: Int64
    /// The window's start.
    public var start: Int64

    /// Makes one.
    @inlinable
    public init(time: Int64, start: Int64) {
        self.time = time
        self.start = start
    }

    /// The time at a place of a list that ``StateStore/rowTimes(of:from:through:startingThrough:into:)`` made.
    @inlinable
    @inline(__always)
    public static func at(_ place: Int, of list: RawSpan) -> RowTime {
        RowTime(
            time: list.integer(at: place &* size, as: Int64.self) ?? 0,
            start: list.integer(at: place &* size &+ 8, as: Int64.self) ?? 0)
    }

    /// The bytes of one.
    @inlinable public static var size: Int { 16 }

    @inline(__always)
    func write(into writer: inout ByteWriter) {
        writer.append(bigEndian: time)
        writer.append(bigEndian: start)
    }

    @inline(__always)
    static func isBefore(_ one: RowTime, _ other: RowTime) -> Bool {
        one.time != other.time ? one.time < other.time : one.start < other.start
    }
}

extension KeySchema {
    /// Where a row lies in time.
    @inline(__always)
    func rowTime(of key: RawSpan) -> RowTime {
        let time = self.time(of: key)
        guard self == .session else { return RowTime(time: time, start: time) }
        return RowTime(time: time, start: key.integer(at: key.byteCount &- 8, as: Int64.self) ?? 0)
    }
}

extension StateStore {
    // MARK: Rows of one key

    /// Collects the times of a record key's rows in a range, ascending, without their values; of windows without duplicates.
    ///
    /// What it costs doesn't grow with what else is stored. For sessions of a key that don't overlap.
    ///
    /// - Parameters:
    ///   - key: the record's key.
    ///   - first: the earliest time: of a window's start or a session's end, ms.
    ///   - last: the latest.
    ///   - latest: the latest start of a session.
    ///   - list: gets them in place of what it has (``RowTime/at(_:of:)``).
    public func rowTimes(
        of key: RawSpan, from first: Int64, through last: Int64, startingThrough latest: Int64 = .max,
        into list: ByteBuffer
    ) throws(StoreError) {
        state.value.ranges &+= 1
        list.writer.removeAll()
        let first = max(first, 0)
        guard first <= last else { return }
        let keys = layout.keys
        writeBounds(key, first, last)
        let stored = isCached ? search.stored : list
        stored.writer.removeAll()
        try layout.forEachKey(
            from: search.low.bytes, through: search.high.bytes, times: first...last, reverse: false, search
        ) { (found) throws(StoreError) in
            guard keys.recordKey(of: found).isEqual(to: key) else { return true }
            let time = keys.rowTime(of: found)
            guard time.start <= latest else { return false }
            // What the cache has counts, if only that the row was deleted.
            if isCached, cache.find(found, StoreCache.probe(found)) >= 0 { return true }
            time.write(into: &stored.writer)
            return true
        }
        guard isCached else { return }
        search.cached.writer.removeAll()
        cache.families?.forEach(key, from: first, through: last) { index, time in
            if time.start <= latest, cache.hasValue(index) { time.write(into: &search.cached.writer) }
            return true
        }
        merge(into: list)
    }

    /// The latest time in a range that a record key has a row of; nil if there is none.
    public func lastRowTime(of key: RawSpan, from first: Int64, through last: Int64) throws(StoreError) -> RowTime? {
        state.value.ranges &+= 1
        let first = max(first, 0)
        guard first <= last else { return nil }
        let keys = layout.keys
        writeBounds(key, first, last)
        var latest: RowTime?
        try layout.forEachKey(
            from: search.low.bytes, through: search.high.bytes, times: first...last, reverse: true, search
        ) { (found) throws(StoreError) in
            guard keys.recordKey(of: found).isEqual(to: key) else { return true }
            if isCached, cache.find(found, StoreCache.probe(found)) >= 0 { return true }
            latest = keys.rowTime(of: found)
            return false
        }
        guard isCached else { return latest }
        cache.families?.forEach(key, from: first, through: last) { index, time in
            guard cache.hasValue(index) else { return true }
            if let known = latest, RowTime.isBefore(time, known) { return false }
            latest = time
            return false
        }
        return latest
    }

    private func writeBounds(_ key: RawSpan, _ first: Int64, _ last: Int64) {
        search.low.writer.removeAll()
        search.low.writer.append(key)
        search.low.writer.append(bigEndian: first)
        search.high.writer.removeAll()
        search.high.writer.append(key)
        search.high.writer.append(bigEndian: last)
        // Behind the time: a number of 4 bytes, or a session's start of 8.
        if layout.keys.suffixSize == 16 {
            search.low.writer.append(bigEndian: UInt64.min)
            search.high.writer.append(bigEndian: UInt64.max)
        } else {
            search.low.writer.append(bigEndian: UInt32.min)
            search.high.writer.append(bigEndian: UInt32.max)
        }
    }

    private func merge(into list: ByteBuffer) {
        let stored = search.stored.bytes
        let cached = search.cached.bytes
        let storedCount = stored.byteCount / RowTime.size
        var place = 0
        var rest = cached.byteCount / RowTime.size
        while place < storedCount || rest > 0 {
            let isStored =
                rest == 0
                || place < storedCount && RowTime.isBefore(.at(place, of: stored), .at(rest - 1, of: cached))
            if isStored {
                RowTime.at(place, of: stored).write(into: &list.writer)
                place += 1
            } else {
                RowTime.at(rest - 1, of: cached).write(into: &list.writer)
                rest -= 1
            }
        }
    }

    /// Has the cache find the rows of one key, for ``rowTimes(of:from:through:startingThrough:into:)``, or those of one time, for
    /// ``rowKeys(times:step:into:)``.
    ///
    /// Called before the store is used; does nothing without a cache.
    public func beginFindingRows(ofTimes: Bool = false) {
        guard isCached, cache.families == nil else { return }
        cache.families = KeyFamilies(layout.keys, ofTimes: ofTimes)
    }
}
