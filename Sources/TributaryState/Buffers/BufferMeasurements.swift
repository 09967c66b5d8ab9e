internal import TributaryCore

/// What a suppression's buffer held, as of each change that came, and what it has sent on.
public struct BufferMeasurements: BitwiseCopyable, Sendable, Equatable {
    /// How many changes were sent on since the buffer was made, deletes that were only forgotten among them.
    public var emitted: Int64 = 0
    /// How many keys wait.
    public var count = 0
    /// How many bytes wait.
    public var bytes: Int64 = 0
    /// The most keys that have waited since the last look.
    public var mostCount = 0
    /// The most bytes that have waited since the last look.
    public var mostBytes: Int64 = 0
    private var looks: Int64 = 0
    private var countSum: Int64 = 0
    private var byteSum: Int64 = 0

    /// Nothing has happened.
    public init() {}

    /// How many keys waited on average, over the changes since the last look.
    public var averageCount: Double { looks == 0 ? Double(count) : Double(countSum) / Double(looks) }
    /// How many bytes waited on average, over the changes since the last look.
    public var averageBytes: Double { looks == 0 ? Double(bytes) : Double(byteSum) / Double(looks) }

    /// Notes what waits with a change that has come.
    @inline(__always)
    mutating func note(count: Int, bytes: Int64) {
        mostCount = max(mostCount, count)
        mostBytes = max(mostBytes, bytes)
        looks &+= 1
        countSum &+= Int64(count)
        byteSum &+= bytes
    }

    /// Begins anew with what waits now.
    mutating func startOver(count: Int, bytes: Int64) {
        let emitted = emitted
        self = BufferMeasurements()
        self.emitted = emitted
        mostCount = count
        mostBytes = bytes
    }
}

extension StateStore {
    /// What the store's suppression buffer held since the last call, with the name of its node; nil where there is none.
    public func takeBufferMeasurements() -> (node: String, measured: BufferMeasurements)? {
        guard let buffer = buffer as? SuppressionBuffer else { return nil }
        var measured = buffer.state.value.measured
        measured.count = buffer.count
        measured.bytes = buffer.byteCount
        buffer.state.value.measured.startOver(count: buffer.count, bytes: buffer.byteCount)
        return (buffer.node, measured)
    }
}
