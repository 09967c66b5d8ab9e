public import TributaryCore
public import TributaryLineage

/// The headers on the propagation list: they lie beside the value in cache, engine and changelog.
extension StateStore {
    /// Lets the headers on the propagation list of the row that the last ``read(_:)`` found go on with the record at `origin`.
    ///
    /// For reads that a result comes from; not for those that only look what was there.
    @inline(__always)
    public func passHeaders(to origin: RecordOrigin) {
        if keepsHeaders { passRowHeaders(to: origin) }
    }

    @inline(never)
    func passRowHeaders(to origin: RecordOrigin) {
        copyRowHeaders()
        recorder.addHeaders(entryHeaders.bytes, to: origin)
    }

    /// Those of the row that the last ``read(_:)`` found, to be let go on later; nil where none are kept.
    public func propagatedRowHeaders() -> [UInt8]? {
        guard keepsHeaders else { return nil }
        copyRowHeaders()
        return entryHeaders.writer.copy()
    }

    /// Copies the headers of the row that the last read found: of a cache's entry all, of the engine's those that were stored.
    @inline(never)
    func copyRowHeaders() {
        entryHeaders.writer.removeAll()
        if state.value.lineageFrom >= 0 {
            cache.copyHeaders(state.value.lineageFrom, into: &entryHeaders.writer)
        } else if let view = try? EnvelopeView(found.bytes) {
            entryHeaders.writer.append(view.headers)
        }
    }

    /// Shows them in the span of the read, as far as they are, or would be, stored.
    @inline(never)
    func captureRowHeaders() {
        copyRowHeaders()
        recorder.capture(recorder.propagatedHeaders(of: entryHeaders.bytes))
    }

    /// Takes those of `headers` that are stored for the row being written; only where ``keepsHeaders``.
    @inline(never)
    func encodeHeaders(_ headers: RawSpan) {
        rowHeaders.writer.removeAll()
        rowHeaders.writer.append(keepsAllHeaders ? headers : recorder.propagatedHeaders(of: headers))
    }

    /// The same for an entry of the cache.
    @inline(never)
    func encodeHeaders(ofEntry index: Int32) {
        entryHeaders.writer.removeAll()
        cache.copyHeaders(index, into: &entryHeaders.writer)
        encodeHeaders(keepsAllHeaders ? recorder.plainHeaders(entryHeaders.bytes) : entryHeaders.bytes)
    }

    /// What the changelog gets of the headers of an entry that is being flushed; only where those of deletes are logged.
    @_lifetime(copy own)
    func loggedHeaders(ofEntry own: RawSpan, isDelete: Bool) -> RawSpan {
        guard isDelete || description.logsHeaders else { return storedHeaders() }
        return keepsHeaders ? recorder.plainHeaders(entryHeaders.bytes) : own
    }

    /// The headers of the row that was read last, where all of them are kept.
    @inline(__always)
    public func headersOfRow() -> Headers { keepsAllHeaders ? copiedHeaders() : Headers() }

    @inline(never)
    private func copiedHeaders() -> Headers {
        copyRowHeaders()
        guard state.value.lineageFrom >= 0 else { return Headers(checked: entryHeaders.bytes) }
        return Headers(checked: recorder.plainHeaders(entryHeaders.bytes))
    }

    /// Those of an entry of the cache.
    func headers(ofEntry index: Int32) -> Headers {
        guard keepsAllHeaders else { return Headers() }
        entryHeaders.writer.removeAll()
        cache.copyHeaders(index, into: &entryHeaders.writer)
        return Headers(checked: recorder.plainHeaders(entryHeaders.bytes))
    }

    /// What Kafka Streams charges a cache for a record's own headers: the characters of names, the bytes of values (Docs/Semantics.md, The cache).
    ///
    /// Those that came from rows aren't charged, or a setting of lineage would decide what is evicted.
    @inline(never)
    static func residentSize(ofHeaders headers: RawSpan) -> Int {
        var size = 0
        Headers.forEach(in: headers) { name, value, _ in
            size &+= value.byteCount
            for offset in name.byteOffsets {
                // Characters of UTF-16: bytes that continue one don't count, those that begin one of four count twice.
                let byte = name.byte(at: offset) ?? 0
                if byte & 0xc0 != 0x80 { size &+= byte >= 0xf0 ? 2 : 1 }
            }
        }
        return size
    }

    /// What ``encodeHeaders(_:)`` took.
    @_lifetime(immortal)
    @inline(__always)
    func storedHeaders() -> RawSpan { keepsHeaders ? rowHeaders.bytes : RawSpan.empty }
}
