internal import TributaryCore

/// How keys of any length become keys of LMDB, in the same order.
///
/// A key below 504 bytes is stored as the byte 00 and itself. LMDB takes at most 511 bytes, so longer keys that share their
/// first 504 bytes lie together in one value, the bucket, under the byte 00 and those 504 bytes: a varint count, then in the
/// order of the suffixes (what follows the 504 bytes, empty for a key of just 504): varint length, suffix, varint length, value.
/// A bucket's key has 505 bytes and any other at most 504, so length tells them apart, and the order of keys is the order
/// of LMDB keys, then of suffixes: a short key that begins a bucket's key comes before it.
enum KeyBucket {
    /// Keys of this length or more lie in buckets; the bucket's key is the tag and this many bytes.
    static let prefixLength = 504
    static let tag: UInt8 = 0

    static func isLong(_ key: RawSpan) -> Bool { key.byteCount >= prefixLength }

    /// Replaces the content of `target` by LMDB's key for `key`: its own, or that of its bucket.
    @inline(__always)
    static func write(_ key: RawSpan, into target: inout ByteWriter) {
        target.removeAll()
        target.append(tag)
        target.append(key.prefix(prefixLength))
    }

    /// Whether a key of LMDB is that of a bucket.
    static func isBucket(_ physical: RawSpan) -> Bool { physical.byteCount == prefixLength + 1 }

    /// Where a member lies in the bytes of its bucket.
    struct Member {
        let suffix: Range<Int>
        let value: Range<Int>
    }

    /// All members in order.
    static func members(_ bucket: RawSpan) throws(MalformedBytes) -> [Member] {
        var reader = ByteReader(bucket)
        let count = try memberCount(&reader)
        var members: [Member] = []
        members.reserveCapacity(count)
        for _ in 0..<count { members.append(try member(&reader)) }
        guard reader.remaining == 0 else {
            throw MalformedBytes.badLength(offset: reader.offset, length: UInt64(reader.remaining))
        }
        return members
    }

    /// Where the value of the member with `suffix` lies; nil if there is none.
    static func value(of suffix: RawSpan, in bucket: RawSpan) throws(MalformedBytes) -> Range<Int>? {
        var reader = ByteReader(bucket)
        for _ in 0..<(try memberCount(&reader)) {
            let member = try member(&reader)
            let order = bucket.extracting(member.suffix).compare(to: suffix)
            if order == 0 { return member.value }
            if order > 0 { return nil }
        }
        return nil
    }

    /// What a rewritten bucket has become.
    struct Change {
        /// Whether the suffix was there before.
        let existed: Bool
        /// How many members there are now.
        let count: Int
    }

    /// Replaces the content of `target` by the bucket with the member written, or deleted if `value` is nil.
    static func rewrite(
        bucketIn old: borrowing ByteWriter, suffix: RawSpan, value: RawSpan?, into target: inout ByteWriter
    ) throws(MalformedBytes) -> Change {
        let bucket = old.bytes
        let members = bucket.isEmpty ? [] : try members(bucket)
        var place = members.count
        var existed = false
        for (index, member) in members.enumerated() {
            let order = bucket.extracting(member.suffix).compare(to: suffix)
            guard order >= 0 else { continue }
            place = index
            existed = order == 0
            break
        }
        var count = members.count - (existed ? 1 : 0)
        if value != nil { count += 1 }
        target.removeAll()
        target.append(varint: UInt64(count))
        // What lies before and after stays as it is, byte for byte.
        let start = members.first.map { memberStart($0, in: bucket) } ?? bucket.byteCount
        let cut = place < members.count ? memberStart(members[place], in: bucket) : bucket.byteCount
        target.append(bucket.extracting(start..<cut))
        if let value {
            target.append(varint: UInt64(suffix.byteCount))
            target.append(suffix)
            target.append(varint: UInt64(value.byteCount))
            target.append(value)
        }
        target.append(bucket.dropping(existed ? members[place].value.upperBound : cut))
        return Change(existed: existed, count: count)
    }

    /// Where a member begins: before the varint length of its suffix.
    private static func memberStart(_ member: Member, in bucket: RawSpan) -> Int {
        var length = member.suffix.count
        var start = member.suffix.lowerBound - 1
        while length >= 0x80 {
            length >>= 7
            start -= 1
        }
        return max(start, 0)
    }

    @_lifetime(reader: copy reader)
    private static func memberCount(_ reader: inout ByteReader) throws(MalformedBytes) -> Int {
        let count = try reader.varint()
        // Each member has two bytes at least.
        guard count > 0 && count <= UInt64(reader.remaining / 2) else {
            throw .badLength(offset: 0, length: count)
        }
        return Int(count)
    }

    @_lifetime(reader: copy reader)
    private static func member(_ reader: inout ByteReader) throws(MalformedBytes) -> Member {
        let suffixLength = try reader.lengthPrefixed().byteCount
        let suffixEnd = reader.offset
        let valueLength = try reader.lengthPrefixed().byteCount
        let valueEnd = reader.offset
        return Member(suffix: (suffixEnd - suffixLength)..<suffixEnd, value: (valueEnd - valueLength)..<valueEnd)
    }
}
