public import TributaryCore

extension Serde {
    /// The layout of Kafka Streams' `TimeWindowedSerde`: the key's bytes, then the window's start (8 bytes, big-endian).
    ///
    /// - Parameter size: of the windows, since only the start is stored: whole milliseconds, one or more; `build()` refuses others.
    @inlinable
    public static func timeWindowed<Key>(_ inner: Serde<Key>, size: Duration) -> Serde<Windowed<Key>>
    where Value == Windowed<Key> {
        let time = size.milliseconds
        return Serde<Windowed<Key>>(
            name: TimeWindowedName(inner: inner.name, size: time).description, size: inner.windowedSize(8),
            keys: .windowed,
            problem: inner.problem ?? sizeProblem(size),
            decode: { bytes in
                let count = bytes.byteCount - 8
                guard count >= 0, let start = bytes.integer(at: count, as: Int64.self) else {
                    throw SerdeError(.malformed, serde: inner.name, "a windowed key has at least 8 bytes")
                }
                return Windowed(
                    key: try inner.decode(bytes.prefix(count)),
                    window: Window(start: start, end: start.addingSaturated(time)))
            },
            encode: { windowed, writer in
                try inner.encode(windowed.key, &writer)
                writer.append(bigEndian: windowed.window.start)
            })
    }

    /// The layout of Kafka Streams' `SessionWindowedSerde`: the key's bytes, then the session's end and its start (8 bytes each,
    /// big-endian).
    @inlinable
    public static func sessionWindowed<Key>(_ inner: Serde<Key>) -> Serde<Windowed<Key>> where Value == Windowed<Key> {
        Serde<Windowed<Key>>(
            name: SessionWindowedName(inner: inner.name).description, size: inner.windowedSize(16), keys: .session,
            problem: inner.problem,
            decode: { bytes in
                let count = bytes.byteCount - 16
                guard count >= 0, let end = bytes.integer(at: count, as: Int64.self),
                    let start = bytes.integer(at: count + 8, as: Int64.self)
                else {
                    throw SerdeError(.malformed, serde: inner.name, "a key of a session has at least 16 bytes")
                }
                return Windowed(key: try inner.decode(bytes.prefix(count)), window: Window(start: start, end: end))
            },
            encode: { windowed, writer in
                try inner.encode(windowed.key, &writer)
                writer.append(bigEndian: windowed.window.end)
                writer.append(bigEndian: windowed.window.start)
            })
    }

    @usableFromInline
    static func sizeProblem(_ size: Duration) -> String? { TimeWindows.problem("size", size) }

    /// The size of keys with `more` bytes for a window.
    @usableFromInline
    func windowedSize(_ more: Int) -> EncodedSize<Windowed<Value>> {
        switch size {
        case .fixed(let count): .fixed(count + more)
        case .computed(let count): .computed { count($0.key) + more }
        case .unknown: .unknown
        }
    }
}

/// The name of a serde of keys in windows of time: says how to read them to who knows only the name, as of a store's serdes.
public struct TimeWindowedName: Sendable, Hashable, CustomStringConvertible {
    /// The name of the keys' own serde.
    public var inner: String
    /// The windows' size, ms.
    public var size: Int64

    private static let prefix = "timeWindowed:"

    /// Makes a name.
    public init(inner: String, size: Int64) {
        self.inner = inner
        self.size = size
    }

    /// Reads a name; nil if it is another serde's.
    public init?(_ name: String) {
        guard name.hasPrefix(Self.prefix), let comma = name.lastIndex(of: ","),
            let size = Int64(name[name.index(after: comma)...])
        else { return nil }
        self.init(inner: String(name[..<comma].dropFirst(Self.prefix.count)), size: size)
    }

    /// The name.
    public var description: String { "\(Self.prefix)\(inner),\(size)" }
}

/// The name of a serde of keys in sessions: says how to read them to who knows only the name, as of a store's serdes.
public struct SessionWindowedName: Sendable, Hashable, CustomStringConvertible {
    /// The name of the keys' own serde.
    public var inner: String

    private static let prefix = "sessionWindowed:"

    /// Makes a name.
    public init(inner: String) { self.inner = inner }

    /// Reads a name; nil if it is another serde's.
    public init?(_ name: String) {
        guard name.hasPrefix(Self.prefix) else { return nil }
        inner = String(name.dropFirst(Self.prefix.count))
    }

    /// The name.
    public var description: String { Self.prefix + inner }
}
