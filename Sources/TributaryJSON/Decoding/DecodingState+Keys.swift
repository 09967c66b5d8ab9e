extension DecodingState {
    /// Makes sure that a container with keys can be made of the value at `index`, and converts its keys.
    @inline(__always)
    func openObject(_ index: Int) throws {
        guard tape[index].kind == .object else { throw notContainer(index, isObject: true) }
        if !hasDefaultKeys, !tape[index].flags.contains(.converted) { convertKeys(of: index) }
    }

    @inline(__always)
    func openArray(_ index: Int) throws {
        guard tape[index].kind == .array else { throw notContainer(index, isObject: false) }
    }

    @inline(never)
    private func notContainer(_ index: Int, isObject: Bool) -> DecodingError {
        let type: Any.Type = isObject ? [String: Any].self : [Any].self
        return wrongType(type, index, path(of: index))
    }

    /// Puts the converted keys of `object` in place of those of the text; equal ones hide as in the text.
    @inline(never)
    private func convertKeys(of object: Int) {
        var path = path(of: object)
        let end = Int(tape[object].next)
        var key = object &+ 1
        var names: Set<String> = []
        while key < end {
            let name = text(at: key).string
            let converted: String
            switch options.keyDecodingStrategy {
            case .useDefaultKeys: converted = name
            case .convertFromSnakeCase: converted = SnakeCase.decoded(name)
            case .custom(let convert):
                path.append(JSONKey(stringValue: name))
                converted = convert(path).stringValue
                path.removeLast()
            }
            let start = arena.count
            let wasInArena: UInt64 = tape[key].flags.contains(.inArena) ? 1 : 0
            RawInput.withUTF8(of: converted) { arena.append($0) }
            tape[key].extra = wasInArena &<< 63 | UInt64(tape[key].size) &<< 32 | UInt64(tape[key].start)
            tape[key].start = UInt32(truncatingIfNeeded: start)
            tape[key].size = UInt32(truncatingIfNeeded: arena.count &- start)
            tape[key].flags.formUnion([.inArena, .converted])
            if !names.insert(converted).inserted { tape[key].flags.insert(.hidden) }
            key = after(key &+ 1)
        }
        tape[object].flags.insert(.converted)
    }

    /// The key of the text, before any conversion.
    func originalKey(_ key: Int) -> String {
        let token = tape[key]
        guard token.flags.contains(.converted) else { return text(at: key).string }
        let size = Int(truncatingIfNeeded: token.extra &>> 32 & 0x7FFF_FFFF)
        let start = Int(truncatingIfNeeded: token.extra & 0xFFFF_FFFF)
        return bytes(start, size, inArena: token.extra &>> 63 == 1).string
    }

    /// The keys that can be found in `object`, in the order of the text.
    func names(of object: Int) -> [String] {
        let end = Int(tape[object].next)
        var names: [String] = []
        names.reserveCapacity(Int(tape[object].size))
        var key = object &+ 1
        while key < end {
            if !tape[key].flags.contains(.hidden) { names.append(text(at: key).string) }
            key = after(key &+ 1)
        }
        return names
    }
}

/// A dictionary with texts as keys, which key strategies leave alone.
protocol StringDictionary {
    /// Makes the dictionary from the object at `index`.
    static func make(from state: DecodingState, at index: Int) throws -> Self
}

extension Dictionary: StringDictionary where Key == String, Value: Decodable {
    static func make(from state: DecodingState, at index: Int) throws -> [String: Value] {
        guard state.tape[index].kind == .object else {
            throw state.wrongType([String: Any].self, index, state.path(of: index))
        }
        var result: [String: Value] = [:]
        let end = Int(state.tape[index].next)
        var key = index &+ 1
        while key < end {
            let name = state.originalKey(key)
            if result[name] == nil { result[name] = try state.decode(Value.self, at: key &+ 1) }
            key = state.after(key &+ 1)
        }
        return result
    }
}
