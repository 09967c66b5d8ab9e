internal import CZlib
internal import TributaryCore

/// Compresses one body after another with the same memory: gzip, level 1 (measured on spans: 280 MB/s to 22 %; level 6 half
/// as fast to 21 %).
///
/// Used by one thread. The stream lies in memory of its own, since zlib keeps its address.
@safe final class GzipWriter {
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)

    /// Makes a compressor; nil if the library has no memory.
    init?() {
        unsafe stream.initialize(to: z_stream())
        guard unsafe zlib_deflate_gzip(stream, 1) == Z_OK else { return nil }
    }

    deinit {
        unsafe deflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// Replaces what `writer` holds by the compressed bytes; false if the library failed.
    func compress(_ bytes: RawSpan, into writer: inout ByteWriter) -> Bool {
        writer.removeAll()
        guard unsafe deflateReset(stream) == Z_OK else { return false }
        let bound = unsafe Int(deflateBound(stream, UInt(bytes.byteCount)))
        var done = false
        unsafe writer.append(upTo: bound) { target in
            unsafe bytes.withUnsafeBytes { source in
                unsafe stream.pointee.next_in = source.baseAddress?.assumingMemoryBound(to: UInt8.self)
                unsafe stream.pointee.avail_in = UInt32(source.count)
                unsafe stream.pointee.next_out = target.assumingMemoryBound(to: UInt8.self)
                unsafe stream.pointee.avail_out = UInt32(bound)
                done = unsafe deflate(stream, Z_FINISH) == Z_STREAM_END
            }
            return unsafe bound - Int(stream.pointee.avail_out)
        }
        return done
    }
}
