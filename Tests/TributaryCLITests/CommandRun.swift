import Synchronization
import TributaryCLI

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What one call of the program did.
struct CommandRun {
    var status: Int32
    var output: [String]
    var errors: [String]
    var screen: String

    /// Calls the program in this process.
    init(_ arguments: String..., isTerminal: Bool = false) async {
        await self.init(arguments, isTerminal: isTerminal)
    }

    init(_ arguments: [String], isTerminal: Bool = false) async {
        final class Lines: Sendable {
            let all = Mutex<(out: [String], err: [String], screen: String)>(([], [], ""))
        }
        let lines = Lines()
        let console = Console(
            isTerminal: isTerminal, output: { line in lines.all.withLock { $0.out.append(line) } },
            errors: { line in lines.all.withLock { $0.err.append(line) } },
            screen: { text in lines.all.withLock { $0.screen += text } })
        status = await TributaryCommand(console: console).run(arguments)
        (output, errors, screen) = lines.all.withLock { $0 }
    }

    /// The whole output.
    var text: String { output.joined(separator: "\n") }
    /// All complaints.
    var complaint: String { errors.joined(separator: "\n") }
}

/// A folder of its own for each test, gone with the value.
final class TemporaryFolder: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/tributary-cli-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { buffer in
            guard let start = buffer.baseAddress, let made = mkdtemp(start) else { return "/tmp/tributary-failed" }
            return String(cString: made)
        }
    }

    /// Writes a file into the folder and returns its path.
    func file(_ name: String, _ text: String) -> String {
        let file = "\(path)/\(name)"
        let bytes = Array(text.utf8)
        let handle = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        _ = write(handle, bytes, bytes.count)
        close(handle)
        return file
    }

    deinit { TemporaryFolder.delete(path) }

    private static func delete(_ path: String) {
        var status = stat()
        if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, let folder = opendir(path) {
            var names: [String] = []
            while let entry = readdir(folder) {
                names.append(
                    withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
                )
            }
            closedir(folder)
            for name in names where name != "." && name != ".." { delete("\(path)/\(name)") }
        }
        _ = remove(path)
    }
}
