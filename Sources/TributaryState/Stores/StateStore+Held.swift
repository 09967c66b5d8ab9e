public import TributaryCore
public import TributaryLineage

/// Holds decoded values of a store's cached rows, by entry of the cache; some of them may be newer than their bytes.
public protocol RowHolder: AnyObject {
    /// Appends the bytes of the value that is held for an entry.
    ///
    /// - Throws: what its serde throws; ``HeldValueLost`` where there is none.
    func encode(_ entry: Int32, into writer: inout ByteWriter) throws
}

/// A value that was held and not yet encoded is gone: whoever changed it threw.
public struct HeldValueLost: Error, CustomStringConvertible {
    /// Makes the error.
    public init() {}

    /// One sentence.
    public var description: String { "the value was being changed by what threw" }
}

extension StateStore {
    // MARK: Decoded values

    /// Has the cache note, from now on, of which entries somebody holds the decoded value.
    ///
    /// Called by the one object that holds them, before the store is used; it is found again in ``holder``.
    ///
    /// - Returns: false for a store without cache, of which nothing can be held.
    public func beginHolding(by object: any RowHolder) -> Bool {
        guard isCached, holder == nil else { return false }
        holder = object
        cache.noteHeld()
        return true
    }

    /// The cache's entry that a read found, while the store was neither read nor written since; -1 for none.
    @inline(__always)
    public func cachedEntry(of read: RowHandle) -> Int32 { entry(of: read) }

    /// The cache's entry that has what was just written to a key; -1 if it was evicted, or if anything has touched the store since.
    @inline(__always)
    public func writtenEntry(of key: RawSpan) -> Int32 {
        let index = state.value.wroteEntry
        guard state.value.wroteVersion == version, cache.isEntry(index, of: key) else { return -1 }
        return index
    }

    /// Whether the value of an entry is held as it stands; its next write, its eviction and its reuse end that.
    @inline(__always)
    public func isHeld(_ entry: Int32) -> Bool { cache.isHeld(entry) }

    /// Says that the value of an entry is held as it stands.
    @inline(__always)
    public func setHeld(_ entry: Int32) { cache.setHeld(entry) }

    // MARK: Values without bytes

    /// The entry whose next value need only be held (``writeHeldAggregate(_:after:window:_:)``), after a read that found it; -1 if it is
    /// to be encoded.
    ///
    /// The first value of an entry always is: so there is a size to charge.
    @inline(__always)
    public func unencodedEntry(after read: RowHandle, _ meta: borrowing RecordMeta) -> Int32 {
        guard read.exists, read.entry >= 0, isCurrent(read), defersEncoding, deferral.isOn, !state.value.isFlushing,
            cache.isLong(read.entry) || recorder.headers(of: meta).isEmpty
        else { return -1 }
        return read.entry
    }

    /// Encodes what is only held: before a flush, and before something is sent that can't be taken back.
    func encodeHeld() throws(StoreError) {
        guard cache.hasUnencoded else { return }
        try cache.forEachDirty { index throws(StoreError) in try encodeHeld(index) }
    }

    /// Encodes an entry's value if it is only held.
    @inline(__always)
    func encodeHeld(_ index: Int32) throws(StoreError) {
        if cache.hasUnencoded, cache.isUnencoded(index) { try encodeEntry(index) }
    }

    @inline(never)
    private func encodeEntry(_ index: Int32) throws(StoreError) {
        heldBytes.writer.removeAll()
        do {
            guard let holder else { throw HeldValueLost() }
            try holder.encode(index, into: &heldBytes.writer)
        } catch {
            throw unencodable(index, error)
        }
        cache.encoded(index, heldBytes.bytes)
    }

    private func unencodable(_ index: Int32, _ error: any Error) -> StoreError {
        heldBytes.writer.removeAll()
        cache.copyKey(index, into: &heldBytes.writer)
        let failure = StoreError(
            .unencodable, "a value in the cache: \(ErrorText.of(error))", store: name,
            key: heldBytes.bytes.hexadecimal)
        deferral.failed(by: failure)
        return failure
    }

    /// The error to throw instead of one that came while a row's value was being changed; nil where the value is there still, encoded.
    ///
    /// - Parameters:
    ///   - key: the row's.
    ///   - isHeld: whether there is still a value for an entry.
    public func lost(_ key: RawSpan, isHeld: (_ entry: Int32) -> Bool) -> StoreError? {
        guard cache.hasUnencoded else { return nil }
        let index = cache.find(key, StoreCache.probe(key))
        guard index >= 0, cache.isUnencoded(index), !isHeld(index) else { return nil }
        return unencodable(index, HeldValueLost())
    }
}
