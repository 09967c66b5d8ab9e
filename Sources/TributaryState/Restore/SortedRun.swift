import TributaryCore
import TributaryLineage

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A file of sorted entries, gone from its folder as soon as it is made, so that no crash leaves it behind.
///
/// Blocks of whole entries, each: 4 bytes length, 8 bytes XXH3 of what follows, entries. An entry: varint length, key; varint
/// length * 2 + (1 for a tombstone), value.
final class SortedRun {
    static let blockBytes = 128 * 1024
    static let headBytes = 12

    let descriptor: Int32
    /// How often its entries were merged already.
    let level: Int
    private let path: String
    private let block = Owned(ByteWriter(capacity: SortedRun.blockBytes + 4096))
    private(set) var size = 0

    init(folder: String, level: Int) throws(StoreError) {
        var template = Array("\(folder)/sort-XXXXXX".utf8CString)
        descriptor = mkstemp(&template)
        self.level = level
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard descriptor >= 0 else { throw Self.failure("mkstemp", path) }
        unlink(path)
        _ = block.value.appendZeros(Self.headBytes)
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    static func failure(_ call: String, _ path: String) -> StoreError {
        let code = errno
        let words = strerror(code).map { String(cString: $0) } ?? "error \(code)"
        return StoreError(code == ENOSPC || code == EDQUOT ? .diskFull : .io, "\(call) \(path): \(words)")
    }

    func append(_ key: RawSpan, _ value: RawSpan, isTombstone: Bool) throws(StoreError) {
        block.value.append(varint: UInt64(key.byteCount))
        block.value.append(key)
        block.value.append(varint: UInt64(value.byteCount) << 1 | (isTombstone ? 1 : 0))
        block.value.append(value)
        if block.value.count >= Self.blockBytes { try flush() }
    }

    /// Writes what is left; nothing may be appended afterwards.
    func finish() throws(StoreError) {
        if block.value.count > Self.headBytes { try flush() }
        block.value.shrink(over: 16)
    }

    private func flush() throws(StoreError) {
        let length = block.value.count - Self.headBytes
        let sum = Self.checksum(block.value)
        block.value.overwrite(at: 0, bigEndian: UInt32(length))
        block.value.overwrite(at: 4, bigEndian: sum)
        guard Self.write(block.value, to: descriptor, at: size) else { throw Self.failure("write", path) }
        size += block.value.count
        block.value.removeAll()
        _ = block.value.appendZeros(Self.headBytes)
    }

    private static func checksum(_ block: borrowing ByteWriter) -> UInt64 {
        checksum64(block.bytes(from: headBytes))
    }

    private static func write(_ block: borrowing ByteWriter, to descriptor: Int32, at start: Int) -> Bool {
        block.bytes.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let count = pwrite(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, start + done)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return false }
                done += count
            }
            return true
        }
    }

    /// Appends `count` bytes of the file from `offset` on to `target`.
    func read(_ count: Int, at offset: Int, appendTo target: inout ByteWriter) throws(StoreError) {
        var done = 0
        while done < count {
            var found = 0
            target.append(upTo: count - done) { buffer in
                found = pread(descriptor, buffer.baseAddress, buffer.count, offset + done)
                return found
            }
            if found < 0 && errno == EINTR { continue }
            guard found >= 0 else { throw Self.failure("read", path) }
            guard found > 0 else {
                throw StoreError(.corrupt, "a run of the restore ends at byte \(offset + done) of \(size)")
            }
            done += found
        }
    }
}
