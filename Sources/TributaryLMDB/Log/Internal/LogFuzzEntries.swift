internal import TributaryCore
internal import TributaryLineage

/// Entry points for fuzzing: whether the bytes were accepted.
package enum LogFuzzEntries {
    /// A stored batch.
    ///
    /// The checksum is made right first, or no walk would ever begin. What was accepted is written again record by
    /// record, and must be read back the same.
    package static func batch(_ bytes: RawSpan) -> Bool {
        var stored = ByteWriter(capacity: bytes.byteCount)
        stored.append(bytes)
        guard bytes.byteCount >= BatchFormat.headerSize else {
            _ = try? BatchHeader(checking: bytes, key: 0)
            return false
        }
        stored.overwrite(at: 0, bigEndian: BatchFormat.magic)
        stored.overwrite(
            at: BatchFormat.checksumAt, bigEndian: checksum64(stored.bytes.dropping(BatchFormat.coveredFrom)))
        let base = stored.bytes.integer(at: BatchFormat.baseOffsetAt, as: Int64.self) ?? 0
        var copy = OpenBatch()
        defer { unsafe copy.base?.deallocate() }
        var first = Digest()
        guard (try? walk(stored.bytes, base, &first, into: &copy)) != nil, copy.count > 0 else { return false }
        copy.seal()
        copy.setBaseOffset(base)
        var second = Digest()
        var none = OpenBatch()
        defer { unsafe none.base?.deallocate() }
        do throws(BatchHeader.Fault) {
            try walk(copy.bytes, base, &second, into: &none)
        } catch {
            preconditionFailure("written, but not readable: \(error.rawValue)")
        }
        precondition(first == second)
        return true
    }

    /// What the records of a batch amount to.
    private struct Digest: Equatable {
        var records = 0
        var sum: UInt64 = 0

        mutating func add(_ number: UInt64) { sum = (sum ^ number) &* 0x0000_0100_0000_01b3 }

        mutating func add(_ bytes: RawSpan) {
            add(UInt64(bytes.byteCount))
            for index in bytes.byteOffsets { add(UInt64(bytes.byte(at: index) ?? 0)) }
        }
    }

    private static func walk(
        _ bytes: RawSpan, _ base: Int64, _ digest: inout Digest, into copy: inout OpenBatch
    ) throws(BatchHeader.Fault) {
        let header = try BatchHeader(checking: bytes, key: base)
        let batch = StoredBatch(copying: bytes, base: base)
        try batch.forEach(header) { record in
            digest.records += 1
            digest.add(UInt64(bitPattern: record.offset))
            digest.add(UInt64(bitPattern: record.timestamp))
            if let key = record.key { digest.add(key) }
            digest.add(record.isTombstone ? 1 : 0)
            record.append(to: &copy, base: base)
            return true
        }
    }
}
