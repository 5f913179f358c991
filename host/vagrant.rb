# frozen_string_literal: true

# Copyright: the Roost developers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

require "open3"
require "yaml"
require_relative "vagrant_containers"

# What the Vagrantfile is made of.
module Roost
  # Ends Vagrant with a message and no trace, and leaves the machines as they are.
  class Error < Vagrant::Errors::VagrantError
    attr_reader :error_message

    def initialize(text)
      @error_message = text
      super()
    end
  end

  Machine = Struct.new(:name, :role, :address)

  # One cluster: its settings, its machines, and what has to happen around them.
  class Cluster
    include Containers

    # Vagrant may load the Vagrantfile more than once.
    def self.at(root)
      @at ||= {}
      @at[root] ||= new(root)
    end

    attr_reader :machines

    def initialize(root)
      @root = root
      @lock = Mutex.new
      @starting = []
      ENV["PATH"] = "#{root}/.venv/bin:#{ENV.fetch("PATH")}"
      @settings = read_settings
      ENV["ROOST_CLUSTER"] = name
      ENV["VAGRANT_DEFAULT_PROVIDER"] = provider
      use_own_vagrant_folder
      @machines = read_machines
    end

    def name
      @settings.fetch("cluster")
    end

    def provider
      @settings.fetch("provider")
    end

    def docker?
      provider == "docker"
    end

    def define_virtual_machine(node, machine)
      vm = data("host/vm.yml")
      node.vm.box = ENV.fetch("ROOST_BOX", vm.fetch("box"))
      node.vm.network "private_network", ip: machine.address
      forward_ports(node) if machine.role == "control_plane"
      node.vm.provider provider do |hypervisor|
        hypervisor.cpus = vm.fetch("cpus")
        hypervisor.memory = vm.fetch("memory").fetch(machine.role)
        hypervisor.name = "roost-#{name}-#{machine.name}" if provider == "virtualbox"
        hypervisor.default_prefix = "roost-#{name}-" if provider == "libvirt"
      end
    end

    # What the playbook asks of a machine and a box may lack. For a trigger, because `make up` runs
    # no provisioner.
    def iptables
      { inline: <<~SHELL }
        command -v iptables >/dev/null && exit
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends iptables >/dev/null && exit
        echo "expected iptables in the box, or apt-get to install it; ROOST_BOX names another" >&2
        exit 1
      SHELL
    end

    # 127.0.0.1 on the host → the ingress gateway's node ports.
    def forward_ports(node)
      options = data("inventory/group_vars/all/cluster.yml")
      %w[http https].each do |scheme|
        node.vm.network "forwarded_port",
                        guest: options.fetch("istio_gateway_#{scheme}_node_port"),
                        host: @settings.fetch("#{scheme}_port"), host_ip: "127.0.0.1"
      end
    end

    # -- Triggers ---------------------------------------------------------------------------
    # Machines start in parallel, so each of these runs in several threads.

    def before_up(machine)
      @lock.synchronize do
        @starting << machine.name
        @network_is_up ||= nodes("network", "up") if docker?
        next if machine.id

        nodes("forget", machine.name.to_s, address_of(machine))
        machine.provider_config.image = node_image if docker?
      end
    end

    # After the last machine: the edge, and site.yml.
    def after_up(env)
      @lock.synchronize do
        @starting.shift
        next if @complete || @starting.any? || absent(env).any?

        @complete = true
        nodes("edge", "up") if docker?
        provision if provision_wanted?
      end
    end

    def after_provision(env)
      @lock.synchronize do
        next if @complete

        down = absent(env)
        unless down.empty?
          raise Error, "site.yml provisions all machines at once, and #{down.join(", ")} " \
                       "isn't running: run `vagrant up`"
        end
        @complete = true
        provision
      end
    end

    def after_halt(env)
      nodes("edge", "stop") if docker? && absent(env).size == machines.size
    end

    # What is thrown away needn't be shut down first.
    def before_destroy(machine)
      forced = ARGV.any? { |argument| %w[-f --force].include?(argument) }
      return unless docker? && forced && machine.id

      system("docker", "kill", machine.id, out: File::NULL, err: File::NULL)
    end

    def after_destroy(machine)
      # Still there if the question was answered with no.
      return if machine.id

      @lock.synchronize do
        nodes("forget", machine.name.to_s, address_of(machine))
        next unless docker?

        nodes("clean", "--if-no-nodes")
        # Not now: the machines that follow, if only to be forgotten, need it.
        @engine_stops ||= at_exit { system("#{@root}/host/docker_engine", "stop") }
      end
    end

    private

    # -- Settings and machines --------------------------------------------------------------

    # Only a command that starts machines changes the record; the others go by what is recorded.
    def read_settings
      ENV["PROVIDER"] = $1 if ARGV.join(" ") =~ /--provider[= ](\S+)/
      settings("record") if %w[up reload].include?(subcommand)
      YAML.safe_load(settings("show"))
    end

    # What is wrong with them it says itself.
    def settings(*arguments)
      said, status = Open3.capture2("#{@root}/host/settings.py", *arguments)
      status.success? ? said : exit(1)
    end

    # Where Vagrant keeps a cluster's machines is read from the environment before the Vagrantfile
    # is, so it is started again with the right one.
    def use_own_vagrant_folder
      wanted = settings("get", "vagrant").strip
      present = ENV["VAGRANT_DOTFILE_PATH"].to_s
      present = ".vagrant" if present.empty?
      return if File.expand_path(present, @root) == wanted

      ENV["VAGRANT_DOTFILE_PATH"] = wanted
      exec($PROGRAM_NAME, *ARGV)
    end

    def subcommand
      ARGV.find { |argument| !argument.start_with?("-") }
    end

    # The listed workers first; those beyond them are numbered on.
    def read_machines
      groups = data("inventory/hosts.yml").dig("all", "children", "cluster", "children")
      control, workers = %w[control_plane workers].map do |role|
        groups.fetch(role).fetch("hosts").map do |host, variables|
          Machine.new(host, role, in_subnet(variables.fetch("ansible_host")[/\d+\z/]))
        end
      end
      first = workers.first.address[/\d+\z/].to_i
      control + Array.new(@settings.fetch("workers")) do |index|
        workers[index] || Machine.new("worker-#{index + 1}", "workers", in_subnet(first + index))
      end
    end

    def in_subnet(last_octet)
      @settings.fetch("subnet").sub(%r{0/24\z}, last_octet.to_s)
    end

    def address_of(vagrant_machine)
      machines.find { |machine| machine.name == vagrant_machine.name.to_s }.address
    end

    # Of the provider, because Vagrant's own state of a machine takes a lock on it, which the thread
    # that starts the machine may have, and fails instead of waiting.
    def absent(env)
      state = ->(host) { env.machine(host.to_sym, provider.to_sym).provider.state.id }
      machines.map(&:name).reject { |host| state.call(host) == :running }
    end

    # -- Other programs ---------------------------------------------------------------------

    def python
      path = "#{@root}/.venv/bin/python"
      File.executable?(path) ? path : raise(Error, "#{path} is missing: run `make setup` first")
    end

    def provision_wanted?
      subcommand == "reload" ? ARGV.include?("--provision") : !ARGV.include?("--no-provision")
    end

    def provision
      python
      return if system("ansible-playbook", "playbooks/site.yml", chdir: @root)

      raise Error, "playbooks/site.yml failed, see above. The machines run; `vagrant provision` " \
                   "goes on from here"
    end

    # True, so that what has been done once can be remembered.
    def nodes(*arguments)
      said = output("#{@root}/host/nodes.py", *arguments)
      puts said unless said.empty?
      true
    end

    def output(*command)
      said, status = Open3.capture2(*command, chdir: @root)
      return said if status.success?

      raise Error, "#{command.first(3).join(" ").delete_prefix("#{@root}/")} failed, see above"
    end

    def data(path)
      YAML.safe_load(File.read("#{@root}/#{path}"), aliases: true)
    end
  end
end
