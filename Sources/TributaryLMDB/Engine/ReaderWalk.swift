internal import TributaryCore
internal import TributaryState

/// A walk of a reader: entries are copied out of a short transaction into memory, then given to the caller.
struct ReaderWalk: ~Copyable {
    private let upper: [UInt8]?
    private let limit: Int
    /// Where the next step begins: an open-ended walk begins at the empty key.
    private var position: [UInt8]
    private var isPositionTaken = false
    private(set) var isAtEnd = false
    private var entries = ByteWriter()
    private var ends: [(key: Int, value: Int)] = []
    private var malformed: MalformedBytes?

    init(from lower: RawSpan?, through upper: RawSpan?, limit: Int) {
        if let lower { position = [UInt8](copying: lower) } else { position = [] }
        if let upper { self.upper = [UInt8](copying: upper) } else { self.upper = nil }
        self.limit = limit
    }

    /// Copies entries until there are as many bytes as wanted or no more entries.
    mutating func fill(_ cursor: borrowing LMDBReadCursor, _ seal: RowSeal) throws(LMDBError) {
        entries.removeAll()
        ends.removeAll(keepingCapacity: true)
        var physical = ByteWriter(capacity: 512)
        unsafe KeyBucket.write(position.span.bytes, into: &physical)
        var key = ByteWriter(capacity: 512)
        var entry = try cursor.seek(physical.bytes)
        while let found = entry {
            guard found.key.byte(at: 0) == KeyBucket.tag else { break }
            guard let value = seal.open(found.key, found.value) else {
                throw cursor.failure("checksum", LMDBError.badRow)
            }
            key.removeAll()
            key.append(found.key.dropping(1))
            if KeyBucket.isBucket(found.key) {
                do throws(MalformedBytes) {
                    for member in try KeyBucket.members(value) {
                        key.truncate(to: KeyBucket.prefixLength)
                        key.append(value.extracting(member.suffix))
                        if !take(key.bytes, value.extracting(member.value)) { return }
                    }
                } catch {
                    malformed = error
                    return
                }
            } else if !take(key.bytes, value) {
                return
            }
            entry = try cursor.move(.next)
        }
        isAtEnd = true
    }

    /// Keeps an entry if it lies in the range; returns false when the step is over.
    private mutating func take(_ key: RawSpan, _ value: RawSpan) -> Bool {
        let order = unsafe key.compare(to: position.span.bytes)
        if order < 0 || (order == 0 && isPositionTaken) { return true }
        if let upper, unsafe key.compare(to: upper.span.bytes) > 0 {
            isAtEnd = true
            return false
        }
        entries.append(key)
        let keyEnd = entries.count
        entries.append(value)
        ends.append((keyEnd, entries.count))
        guard entries.count >= limit else { return true }
        position = [UInt8](copying: key)
        isPositionTaken = true
        return false
    }

    /// Gives the entries of the last step to the body until it returns false.
    mutating func drain(_ body: (RawSpan, RawSpan) throws(StoreError) -> Bool) throws(StoreError) -> Bool {
        var start = 0
        for end in ends {
            if try !body(entries.bytes(in: start..<end.key), entries.bytes(in: end.key..<end.value)) { return false }
            start = end.value
        }
        if let malformed { throw StoreError(.corrupt, "a bucket of long keys is malformed: \(malformed)") }
        return true
    }

    /// Appends the value of the first entry; returns false if there is none.
    mutating func takeOnly(into value: inout ByteWriter) -> Bool {
        guard let end = ends.first else { return false }
        value.append(entries.bytes(in: end.key..<end.value))
        return true
    }
}
