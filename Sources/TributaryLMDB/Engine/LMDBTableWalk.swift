internal import CLMDB
internal import TributaryCore
internal import TributaryState

/// A walk over what lies in a database of LMDB, with long keys taken out of their buckets.
struct LMDBTableWalk: ~Copyable {
    let handle: LMDBWriteCursor
    private let core: LMDBStateCore
    private let seal: RowSeal
    private let name: String
    private let lower: [UInt8]?
    private let upper: [UInt8]?
    private let isReverse: Bool
    private let hasEnd: Bool
    private var hasStarted = false
    private var isInside = false
    /// The bucket that is being walked over: the first 504 bytes of its keys, its bytes and what is left of it.
    private var bucketKey = ByteWriter(capacity: 16)
    private var bucket = ByteWriter(capacity: 16)
    private var members: ArraySlice<KeyBucket.Member> = []

    init(
        _ handle: LMDBWriteCursor, _ core: LMDBStateCore, _ seal: RowSeal, name: String, from lower: RawSpan?,
        through upper: RawSpan?,
        reverse: Bool
    ) {
        self.handle = handle
        self.core = core
        self.seal = seal
        self.name = name
        if let lower { self.lower = [UInt8](copying: lower) } else { self.lower = nil }
        if let upper { self.upper = [UInt8](copying: upper) } else { self.upper = nil }
        isReverse = reverse
        hasEnd = reverse ? self.lower != nil : self.upper != nil
    }

    /// Replaces `key` and `value` by the next entry; returns false at the end.
    mutating func next(key: inout ByteWriter, value: inout ByteWriter) throws(StoreError) -> Bool {
        while true {
            if !members.isEmpty, let member = isReverse ? members.popLast() : members.popFirst() {
                key.removeAll()
                value.removeAll()
                key.append(bucketKey.bytes)
                key.append(bucket.bytes(in: member.suffix))
                value.append(bucket.bytes(in: member.value))
            } else {
                let place: LMDBStateCore.State.Place
                do throws(LMDBError) {
                    place = hasStarted ? try advance(&key, &value) : try start(&key, &value)
                } catch {
                    throw StoreError(error, store: name)
                }
                switch place {
                case .end: return false
                case .foreign:
                    if isReverse { continue }
                    return false
                case .bucket:
                    try open(key.bytes, value.bytes)
                    continue
                case .plain: break
                }
            }
            if !isInside && isBefore(key.bytes) { continue }
            isInside = true
            return !hasEnd || !isBeyond(key.bytes)
        }
    }

    private mutating func start(
        _ key: inout ByteWriter, _ value: inout ByteWriter
    ) throws(LMDBError) -> LMDBStateCore.State.Place {
        hasStarted = true
        guard let target = isReverse ? upper : lower else {
            return try core.state.value.step(handle, isReverse ? .last : .first, seal, key: &key, value: &value)
        }
        var physical = ByteWriter(capacity: 512)
        KeyBucket.write(unsafe target.span.bytes, into: &physical)
        let place = try core.state.value.seek(handle, physical.bytes, seal, key: &key, value: &value)
        guard isReverse else { return place }
        // The first key that is not below the upper bound: that one, or the one before.
        switch place {
        case .end: return try core.state.value.step(handle, .last, seal, key: &key, value: &value)
        case .plain, .bucket:
            if key.bytes.compare(to: unsafe target.span.bytes.prefix(KeyBucket.prefixLength)) <= 0 { return place }
            return try advance(&key, &value)
        case .foreign: return try advance(&key, &value)
        }
    }

    private mutating func advance(
        _ key: inout ByteWriter, _ value: inout ByteWriter
    ) throws(LMDBError) -> LMDBStateCore.State.Place {
        try core.state.value.step(handle, isReverse ? .previous : .next, seal, key: &key, value: &value)
    }

    @inline(never)
    private mutating func open(_ key: RawSpan, _ value: RawSpan) throws(StoreError) {
        bucketKey.removeAll()
        bucketKey.append(key)
        bucket.removeAll()
        bucket.append(value)
        do throws(MalformedBytes) {
            members = try KeyBucket.members(bucket.bytes)[...]
        } catch {
            throw StoreError(error, store: name, key: key)
        }
    }

    /// Whether a key lies before the range in the direction of the walk: true only for members of the first bucket.
    private func isBefore(_ key: RawSpan) -> Bool {
        if isReverse {
            guard let upper else { return false }
            return key.compare(to: unsafe upper.span.bytes) > 0
        }
        guard let lower else { return false }
        return key.compare(to: unsafe lower.span.bytes) < 0
    }

    private func isBeyond(_ key: RawSpan) -> Bool {
        if isReverse {
            guard let lower else { return false }
            return key.compare(to: unsafe lower.span.bytes) < 0
        }
        guard let upper else { return false }
        return key.compare(to: unsafe upper.span.bytes) > 0
    }
}
