internal import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

extension LogCore {
    /// The groups that have committed offsets, and those whose lock somebody holds.
    func groups() throws(LogError) -> [GroupDescription] {
        var names = Set(try store.groupNames())
        for file in GroupLocks.files(directory) {
            if let name = GroupLocks.group(ofFile: file), GroupLocks.holder(directory, name) != nil {
                names.insert(name)
            }
        }
        return names.sorted().map { name in
            GroupDescription(name: name, members: GroupLocks.holder(directory, name).map { ["\($0)"] } ?? [])
        }
    }
}

/// The files by which members of groups keep others out, as somebody sees them who takes none of them.
private enum GroupLocks {
    /// Who holds the lock of a group; nil if nobody does.
    static func holder(_ directory: String, _ group: String) -> LockHolder? {
        let path = "\(directory)/groups/\(fileName(group)).lock"
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        // Trying the lock would keep out an application that starts at this moment.
        #if os(Linux)
            if let locks = systemLocks() {
                let node = ":\(status.st_ino)"
                guard locks.contains(where: { $0.count > 5 && $0[1] == "FLOCK" && $0[5].hasSuffix(node) }) else {
                    return nil
                }
            }
        #endif
        return LockHolder(noteIn: path)
    }

    /// The fields of `/proc/locks`; nil where it isn't there.
    private static func systemLocks() -> [[Substring]]? {
        let file = unsafe open("/proc/locks", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe read(file, &chunk, chunk.count)
            if count <= 0 { break }
            text += chunk.prefix(count)
        }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").map { $0.split(separator: " ") }
    }

    /// The files in the folder of groups' locks.
    static func files(_ directory: String) -> [String] {
        guard let folder = unsafe opendir("\(directory)/groups") else { return [] }
        defer { unsafe closedir(folder) }
        var names: [String] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { byte in byte != 0 }, as: UTF8.self)
            }
            names.append(name)
        }
        return names
    }

    /// The group of a lock's file; nil if it is none.
    static func group(ofFile file: String) -> String? {
        guard file.hasSuffix(".lock") else { return nil }
        var bytes: [UInt8] = []
        var rest = file.dropLast(".lock".count).utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let code = UInt8(String(decoding: Array(rest.prefix(2)), as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(code)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
