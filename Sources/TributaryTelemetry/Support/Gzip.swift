internal import CZlib

/// Why bytes can't be decompressed.
public enum GzipError: Error, Sendable, Equatable {
    /// The bytes are not gzip, or damaged.
    case malformed
    /// The bytes end inside the stream.
    case truncated
    /// There would be more than the bound.
    case tooLarge(limit: Int)
    /// The library had no memory.
    case outOfMemory
}

/// Reading gzip (RFC 1952); members that follow one another are read as one.
public enum Gzip {
    /// The decompressed bytes.
    ///
    /// - Parameters:
    ///   - bytes: one gzip member or several.
    ///   - limit: refuses to make more bytes than this, so that a small file can't fill the memory.
    /// - Throws: ``GzipError``.
    public static func decompress(_ bytes: [UInt8], limit: Int = 1 << 30) throws(GzipError) -> [UInt8] {
        var stream = unsafe z_stream()
        guard unsafe zlib_inflate_gzip(&stream) == Z_OK else { throw .outOfMemory }
        defer { unsafe inflateEnd(&stream) }
        var output: [UInt8] = []
        var consumed = 0
        var chunk = [UInt8](repeating: 0, count: 65536)
        var members = 0
        while consumed < bytes.count || members == 0 {
            let (status, read, made) = unsafe step(&stream, bytes, from: consumed, into: &chunk)
            consumed += read
            guard output.count + made <= limit else { throw .tooLarge(limit: limit) }
            output.append(contentsOf: chunk[..<made])
            switch status {
            case Z_STREAM_END:
                members += 1
                if consumed < bytes.count, unsafe inflateReset(&stream) != Z_OK { throw .malformed }
                if consumed == bytes.count { return output }
            case Z_OK:
                if consumed == bytes.count && made < chunk.count { throw .truncated }
                // All input is read, but the output did not fit: go on with no input.
                while consumed == bytes.count {
                    let (status, _, made) = unsafe step(&stream, bytes, from: consumed, into: &chunk)
                    guard output.count + made <= limit else { throw .tooLarge(limit: limit) }
                    output.append(contentsOf: chunk[..<made])
                    if status == Z_STREAM_END { return output }
                    guard status == Z_OK, made > 0 else { throw .truncated }
                }
            case Z_BUF_ERROR: throw .truncated
            case Z_MEM_ERROR: throw .outOfMemory
            default: throw .malformed
            }
        }
        throw .truncated
    }

    /// One call of `inflate`: its status, how many bytes it read and how many it made.
    private static func step(
        _ stream: inout z_stream, _ bytes: [UInt8], from consumed: Int, into chunk: inout [UInt8]
    ) -> (Int32, Int, Int) {
        let room = chunk.count
        // zlib counts in 32 bits.
        let given = min(bytes.count - consumed, 1 << 30)
        let status = unsafe bytes.withUnsafeBufferPointer { input in
            unsafe chunk.withUnsafeMutableBufferPointer { output in
                unsafe stream.next_in = input.baseAddress.map { unsafe $0 + consumed }
                unsafe stream.avail_in = UInt32(given)
                unsafe stream.next_out = output.baseAddress
                unsafe stream.avail_out = UInt32(room)
                return unsafe inflate(&stream, Z_NO_FLUSH)
            }
        }
        return unsafe (status, given - Int(stream.avail_in), room - Int(stream.avail_out))
    }
}
